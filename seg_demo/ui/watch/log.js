// Log: the last lines of it, a node each; it follows its end unless the visitor has scrolled up.

const NEAR_END = 12; // pixels

class Log {
  constructor(root) {
    this.root = root;
    this.box = root.querySelector(".watch-lines");
    this.last = root.querySelector(".watch-last");
    this.lines = [];
    this.following = true;
    this.box.addEventListener("scroll", () => {
      this.following = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_END;
    });
    root.addEventListener("toggle", () => this.follow());
  }

  /** Another run. */
  restart() {
    this.following = true;
    this.show([]);
  }

  show(given) {
    const lines = given.map(String);
    const gone = this.moved(lines);
    for (let count = 0; count < gone; count++) this.box.firstChild.remove();
    this.box.append(...lines.slice(this.lines.length - gone).map((words) => make("div", "", words)));
    this.lines = lines;
    setWords(this.last, lines.at(-1) || "");
    this.follow();
  }

  /** How many of the first lines are gone, so that the others can stay, and with them what is selected. */
  moved(lines) {
    const before = this.lines;
    for (let gone = 0; gone < before.length; gone++) {
      if (before.length - gone <= lines.length && before.slice(gone).every((each, index) => each === lines[index])) return gone;
    }
    return before.length;
  }

  follow() {
    if (this.following && this.root.open) this.box.scrollTop = this.box.scrollHeight;
  }
}
