// Legend: the classes to paint with, how much of each there is, and what is not labelled.

const SEARCH_FROM = 13; // classes

class Legend {
  /** choose(id): a class, or UNLABELLED for the eraser. */
  constructor(root, choose) {
    this.list = root.querySelector(".sb-classes");
    this.search = root.querySelector(".sb-search");
    this.nothing = root.querySelector(".sb-nothing");
    this.search.placeholder = text("search");
    this.choose = choose;
    this.rows = new Map(); // class id -> {item, button, share, name}
    this.search.addEventListener("input", () => this.filter());
    this.search.addEventListener("keydown", (event) => {
      event.stopPropagation(); // letters are words here, not tools
      if (event.key === "Escape") this.clear();
      if (event.key !== "Enter") return;
      const first = [...this.rows.values()].find(({ item }) => !item.hidden);
      first?.button.click();
    });
  }

  setClasses(classes) {
    this.rows.clear();
    const rows = classes.map(({ name, color }, id) => this.row(id, name, color, id < 9 ? String(id + 1) : ""));
    this.list.replaceChildren(...rows, this.row(UNLABELLED, text("unlabelled"), null, "0"));
    this.search.hidden = classes.length < SEARCH_FROM;
    this.clear();
  }

  row(id, name, color, key) {
    const item = make("li", "sb-class");
    const button = make("button", "sb-choose");
    button.type = "button";
    button.title = name;
    button.dataset.id = id;
    const digit = make("kbd", "sb-digit", key);
    digit.ariaHidden = "true";
    const amount = make("span", "sb-share");
    button.append(digit, swatch(color), make("span", "sb-name", name), amount);
    button.addEventListener("click", () => this.choose(id));
    item.append(button);
    item.style.setProperty("--color", css(color));
    this.rows.set(id, { item, button, share: amount, name: name.toLocaleLowerCase() });
    return item;
  }

  clear() {
    this.search.value = "";
    this.filter();
  }

  filter() {
    const wanted = this.search.value.trim().toLocaleLowerCase();
    let found = 0;
    for (const [id, { item, name }] of this.rows) {
      item.hidden = id !== UNLABELLED && !name.includes(wanted);
      if (!item.hidden && id !== UNLABELLED) found++;
    }
    this.nothing.hidden = found > 0;
  }

  mark(id) {
    for (const [other, { button }] of this.rows) button.setAttribute("aria-pressed", String(other === id));
    this.rows.get(id)?.item.scrollIntoView?.({ block: "nearest" });
  }

  /** counts: (256) pixels of each class. */
  update(counts, total) {
    for (const [id, { item, share: amount }] of this.rows) {
      setWords(amount, counts[id] ? share(counts[id], total) : "–");
      amount.title = NUMBER.format(counts[id]) + " px";
      item.style.setProperty("--share", counts[id] / total);
    }
  }
}
