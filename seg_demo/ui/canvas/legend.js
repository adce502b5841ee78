// Legend: one row per class that is in the picture, the largest first; the absent ones folded away below.

class Legend {
  /** on: {toggle(id), only(id), highlight(id or null)} */
  constructor(root, on) {
    this.list = root.querySelector(".sc-present");
    this.absent = root.querySelector(".sc-absent");
    this.on = on;
    this.rows = new Map();
    this.order = []; // ids of the classes in the picture, as listed
    this.shown = "";
  }

  /** Rebuilds the rows only where the order of classes changed; a moving level merely updates the numbers. */
  update(picture, counts, hidden) {
    const total = picture.width * picture.height;
    const present = picture.meta.classes.filter((entry) => counts.get(entry.id));
    present.sort((a, b) => counts.get(b.id) - counts.get(a.id));
    const unlabelled = counts.has(picture.meta.ignore_index);
    const order = JSON.stringify([picture.meta.classes, present.map((entry) => entry.id), unlabelled]);
    if (order !== this.shown) this.build(picture, present, unlabelled);
    this.shown = order;
    this.order = present.map((entry) => entry.id);
    for (const [id, row] of this.rows) {
      const pixels = counts.get(id) || 0;
      row.share.textContent = share(pixels, total);
      row.share.title = NUMBER.format(pixels) + " px";
      row.item.style.setProperty("--share", pixels / total);
      if (id !== picture.meta.ignore_index) row.button.setAttribute("aria-pressed", String(!hidden.has(id)));
    }
  }

  build(picture, present, unlabelled) {
    this.rows.clear();
    this.list.replaceChildren(...present.map((entry, index) => this.row(entry, index)));
    if (unlabelled) {
      const entry = { id: picture.meta.ignore_index, name: text("unlabelled"), color: null };
      this.list.append(this.row(entry, present.length));
    }
    const rest = picture.meta.classes.filter((entry) => !present.includes(entry));
    this.absent.hidden = rest.length === 0;
    this.absent.querySelector("summary").textContent = text("absent", { n: rest.length });
    this.absent.querySelector("ul").replaceChildren(
      ...rest.map((entry) => {
        const item = make("li", "sc-row-absent");
        item.append(swatch(entry.color), make("span", "sc-class", entry.name));
        return item;
      }),
    );
  }

  row(entry, index) {
    const item = make("li", "sc-row-class");
    const button = make("button", "sc-toggle");
    button.type = "button";
    button.title = entry.name;
    button.dataset.id = entry.id;
    const amount = make("span", "sc-share");
    const digit = entry.color && index < 9 ? String(index + 1) : "";
    const number = make("kbd", "sc-digit", digit);
    number.ariaHidden = "true";
    button.append(number, swatch(entry.color), make("span", "sc-class", entry.name), amount);
    item.append(button);
    item.style.setProperty("--color", css(entry.color));
    item.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.on.highlight(entry.id));
    item.addEventListener("pointerleave", () => this.on.highlight(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && this.on.highlight(entry.id));
    button.addEventListener("blur", () => this.on.highlight(null));
    if (entry.color) {
      button.addEventListener("click", (event) => (event.altKey ? this.on.only(entry.id) : this.on.toggle(entry.id)));
      const only = make("button", "sc-only", text("only"));
      only.type = "button";
      only.title = text("only_title");
      only.ariaLabel = text("only") + ": " + entry.name;
      only.addEventListener("click", () => this.on.only(entry.id));
      item.append(only);
    } else {
      button.classList.add("sc-unlabelled"); // pixels without a class have nothing to switch
      button.ariaDisabled = "true";
    }
    this.rows.set(entry.id, { item, button, share: amount });
    return item;
  }
}
