// Shelf: holds the list, draws only what is not as it was, and remembers which row is chosen.

class ShelfList {
  /** on: {choose(key), ask(), leave()} */
  constructor(root, on) {
    this.root = root;
    this.on = on;
    const find = (selector) => root.querySelector(selector);
    fillTexts(root);
    for (const hinted of root.querySelectorAll("[data-hint]")) hinted.title = text(hinted.dataset.hint);
    this.list = find(".shelf-rows");
    this.count = find(".shelf-count");
    this.told = find(".shelf-told");
    this.wait = find(".shelf-wait");
    this.ask = find("[data-act=ask]");
    this.leave = find("[data-act=leave]");
    this.travel = travelling(this.wait.firstElementChild);
    this.keys = new Keys(this.list, { choose: (key) => this.choose(key) });
    this.ask.addEventListener("click", () => on.ask());
    this.leave.addEventListener("click", () => on.leave());
    this.chosen = null;
    this.drawn = new Map(); // key -> [what it was drawn from, row]
    this.clock = setInterval(() => this.tick(), 60_000); // "1 minute ago" grows old
  }

  setValue(value) {
    this.value = value;
    const rows = value?.rows ?? [];
    this.root.dataset.state = rows.length ? "ready" : "empty";
    if (value?.chosen !== null && value?.chosen !== undefined) this.chosen = value.chosen;
    this.draw();
    this.tell(value?.asked ?? "unasked", value?.sentence ?? "");
    if (value?.ask) this.on.ask();
  }

  draw() {
    const rows = this.value?.rows ?? [];
    const focused = this.list.contains(document.activeElement) ? document.activeElement.closest(".shelf-row")?.dataset.key : null;
    const drawn = new Map();
    for (const entry of rows) {
      const from = JSON.stringify(entry);
      const before = this.drawn.get(entry.key);
      drawn.set(entry.key, before?.[0] === from ? before : [from, makeRow(entry, { choose: (key) => this.choose(key) })]);
    }
    const nodes = [...drawn.values()].map(([, row]) => row);
    const same = nodes.length === this.list.children.length && nodes.every((row, at) => row === this.list.children[at]);
    if (!same) this.list.replaceChildren(...nodes);
    this.drawn = drawn;
    const there = rows.filter(({ kind }) => kind !== "remote").length;
    setWords(this.count, text("count", { here: NUMBER.format(there), there: NUMBER.format(rows.filter(({ repo }) => repo).length) }));
    this.mark(focused);
  }

  /** Which row is chosen, and which one Tab leads to. */
  mark(focused = null) {
    for (const [key, [, row]] of this.drawn) row.setAttribute("aria-selected", String(key === this.chosen));
    const to = this.drawn.get(focused ?? this.chosen) ?? [...this.drawn.values()][0];
    this.keys.reach(to?.[1], focused !== null && to !== undefined && !this.list.contains(document.activeElement));
  }

  choose(key) {
    const again = key === this.chosen;
    this.chosen = key;
    this.mark();
    if (!again) this.on.choose(key);
  }

  tell(asked, sentence) {
    const asking = asked === "asking";
    this.root.dataset.asked = asked;
    setWords(this.told, sentence || text("asked_" + asked));
    hide(this.leave, !asking);
    hide(this.ask, asking);
    setWords(this.ask, text(asked === "failed" || asked === "stopped" ? "again" : "ask"));
    hide(this.wait, !asking);
    if (asking) this.travel.play();
    else this.travel.pause();
  }

  tick() {
    if (!this.root.isConnected) clearInterval(this.clock);
    else if (this.value) {
      this.drawn = new Map();
      this.draw();
    }
  }
}
