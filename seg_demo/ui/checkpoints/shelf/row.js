// Row: one checkpoint, what is here on the left, what the Hub has on the right, and how they stand to each other.

const MOST_DOTS = 8;

/** entry: a row of the value. Every word of it is somebody's own: text, never markup. */
function makeRow(entry, on) {
  const row = make("div", "shelf-row");
  row.setAttribute("role", "row");
  row.dataset.key = entry.key;
  row.dataset.sync = entry.state;
  row.tabIndex = -1;
  for (const cell of [here(entry), between(entry), there(entry)]) {
    cell.setAttribute("role", "gridcell");
    row.append(cell);
  }
  row.addEventListener("click", (event) => event.target.closest("a") || on.choose(entry.key));
  return row;
}

function here(entry) {
  const cell = make("div", "shelf-here");
  const head = make("div", "shelf-title");
  if (entry.kind === "remote") {
    cell.append(make("span", "shelf-nothing", text("not_here")));
    return cell;
  }
  const name = make("strong", "shelf-name", entry.name);
  name.title = entry.name;
  head.append(name, make("span", "shelf-badge shelf-" + entry.kind, text("kind_" + entry.kind)));
  const facts = make("div", "shelf-facts");
  if (entry.problem) facts.append(make("span", "shelf-problem", entry.problem));
  else {
    facts.append(dots(entry));
    if (entry.iou !== null && entry.iou !== undefined) {
      const iou = make("span", "shelf-iou", text("iou", { value: entry.iou.toFixed(3) }));
      iou.title = text("measured", { split: entry.measured });
      facts.append(iou);
    }
  }
  if (entry.bytes) facts.append(make("span", "", size(entry.bytes)));
  if (entry.written) facts.append(when(entry.written));
  cell.append(head, facts);
  return cell;
}

function dots(entry) {
  const box = make("span", "shelf-dots");
  const names = entry.classes.map(({ name }) => name).join(", ");
  box.title = entry.class_count > entry.classes.length ? names + ", …" : names;
  for (const { color } of entry.classes.slice(0, MOST_DOTS)) {
    const dot = make("i", "shelf-dot");
    dot.style.setProperty("--color", css(color));
    box.append(dot);
  }
  box.append(make("span", "", text("classes", { n: NUMBER.format(entry.class_count) })));
  return box;
}

function between(entry) {
  const cell = make("div", "shelf-between");
  const badge = make("span", "shelf-state");
  badge.append(icon(entry.state), make("span", "", text("state_" + entry.state.replace(" ", "_"))));
  badge.title = text("about_" + entry.state.replace(" ", "_"));
  cell.append(badge);
  return cell;
}

function there(entry) {
  const cell = make("div", "shelf-there");
  if (!entry.repo) {
    cell.append(make("span", "shelf-nothing", text(entry.state === "local only" ? "not_there" : "not_known")));
    return cell;
  }
  const head = make("div", "shelf-title");
  const safe = /^https?:\/\//.test(entry.url);
  const name = make(safe ? "a" : "span", "shelf-repo", entry.repo);
  name.title = entry.repo;
  if (safe) Object.assign(name, { href: entry.url, target: "_blank", rel: "noopener noreferrer", tabIndex: -1 });
  head.append(name);
  if (entry.private) {
    const badge = make("span", "shelf-badge shelf-private");
    badge.append(icon("lock"), make("span", "", text("private")));
    head.append(badge);
  }
  cell.append(head);
  if (entry.pushed) {
    const facts = make("div", "shelf-facts");
    facts.append(when(entry.pushed));
    cell.append(facts);
  }
  return cell;
}

function when(seconds) {
  const node = make("time", "", ago(seconds));
  node.title = moment(seconds);
  return node;
}
