// Found: repositories, each a button; arrows walk through them.
// `element`, `props`, `trigger` and `watch` come from Gradio.

function foundRow(entry) {
  const item = make("li", "");
  const button = make("button", "found-row");
  button.type = "button";
  button.dataset.repo = entry.repo;
  const name = make("span", "found-name", entry.repo);
  name.title = entry.repo;
  button.append(name);
  if (entry.own) button.append(make("span", "found-badge found-own", text("own")));
  if (entry.private) button.append(make("span", "found-badge", text("private")));
  button.append(make("span", "found-layout", entry.layout), make("span", "found-count", text("counts", { downloads: NUMBER.format(entry.downloads), likes: NUMBER.format(entry.likes) })));
  item.append(button);
  return item;
}

function start(root) {
  fillTexts(root);
  const list = root.querySelector(".found-rows");
  const told = root.querySelector(".found-told");
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".found-row");
    if (!row) return;
    for (const each of list.querySelectorAll(".found-row")) each.setAttribute("aria-pressed", String(each === row));
    trigger("take", { repo: row.dataset.repo });
  });
  list.addEventListener("keydown", (event) => {
    const rows = [...list.querySelectorAll(".found-row")];
    const to = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!to) return;
    event.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(event.target.closest(".found-row")) + to))]?.focus();
  });
  const update = () => {
    const value = props.value ? JSON.parse(JSON.stringify(props.value)) : null;
    const rows = value?.rows ?? [];
    root.dataset.state = rows.length ? "ready" : "empty";
    setWords(told, value?.sentence ?? "");
    hide(told, !value?.sentence);
    list.replaceChildren(...rows.map(foundRow));
  };
  watch("value", update);
  update();
}

start(element.querySelector(".seg-found"));
