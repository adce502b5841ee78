// Tables: the numbers beside the picture, from sums that answer for every level at once.

class Tables {
  constructor(root) {
    this.root = root;
    this.cells = {};
    for (const cell of root.querySelectorAll(".lab-table [data-value]")) this.cells[cell.dataset.value] = cell;
    this.figures = root.querySelector(".lab-figures");
  }

  /** kept: pixels at each level or above; near: pixels within 0.1 of a level; objects: as objectSweep gives, or null. */
  mask(level, kept, near, objects) {
    const total = kept[0];
    const pixels = kept[level];
    this.say("pixels", NUMBER.format(pixels));
    this.say("share", share(pixels, total));
    this.say("objects", objects ? NUMBER.format(objects.objects[level] ?? 0) : "…");
    const largest = objects?.largest[level] ?? 0;
    this.say("largest", objects ? text("largest_of", { n: NUMBER.format(largest), share: share(largest, total) }) : "…");
    this.say("near", share(near, total));
  }

  /** now: as Sweep.at gives, or null without labels. */
  labelled(now) {
    hide(this.figures, !now);
    if (!now) return;
    for (const name of FIGURES) this.say(name, figure(now[name]));
    for (const name of ["tp", "fp", "fn", "tn"]) this.say(name, NUMBER.format(now[name]));
  }

  say(name, words) {
    setWords(this.cells[name], words);
  }
}
