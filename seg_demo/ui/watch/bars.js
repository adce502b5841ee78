// Bars: the IoU of each class in the latest validation, and where it was in the best one.

class Bars {
  /** on: {highlight(index of a class, or null)} */
  constructor(root, on) {
    this.list = root.querySelector(".watch-rows");
    this.which = root.querySelector(".watch-which");
    [this.latest, this.top] = ["latest", "best"].map((name) => {
      const [entry, words] = [make("span", ""), make("span", "")];
      entry.append(make("i", `watch-${name}-mark`), words);
      this.which.append(entry);
      return words;
    });
    this.none = root.querySelector(".watch-none");
    this.root = root;
    this.on = on;
    this.rows = [];
  }

  show({ classes, validations, best, unmeasured }) {
    const latest = validations.at(-1);
    const top = validations.find((each) => each.step === best);
    hide(this.root, unmeasured); // the curves say why
    hide(this.none, Boolean(latest));
    hide(this.list, !latest);
    hide(this.which, !latest);
    if (!latest) return;
    setWords(this.latest, text("latest", { step: whole(latest.step) }));
    setWords(this.top, text("best", { step: whole(best) }));
    hide(this.top.parentElement, !top);
    const key = JSON.stringify(classes);
    if (key !== this.key) {
      this.key = key;
      this.rows = [this.row(null, -1), ...classes.map((each, index) => this.row(each, index))];
      this.list.replaceChildren(...this.rows.map((row) => row.item));
    }
    this.fill(this.rows[0], latest.metrics?.mean_iou, top?.metrics?.mean_iou);
    classes.forEach((_, index) => this.fill(this.rows[index + 1], latest.iou?.[index], top?.iou?.[index]));
  }

  /** entry: {name, color}, or null for the mean of all. */
  row(entry, index) {
    const item = make("li", "watch-row" + (entry ? "" : " watch-mean-row"));
    const name = make("span", "watch-class", entry ? entry.name : text("mean"));
    name.title = name.textContent;
    const track = make("span", "watch-track");
    const [bar, tick] = [make("i", "watch-fill"), make("i", "watch-tick")];
    track.append(bar, tick);
    const [value, best] = [make("b", ""), make("span", "watch-was")];
    item.append(entry ? swatch(entry.color) : make("i", "watch-mark watch-mean"), name, track, value, best);
    if (entry) {
      item.style.setProperty("--color", css(entry.color));
      item.addEventListener("pointerenter", () => this.on.highlight(index));
      item.addEventListener("pointerleave", () => this.on.highlight(null));
    }
    return { item, bar, tick, value, best };
  }

  fill({ item, bar, tick, value, best }, now, then) {
    setWords(value, figure(now));
    setWords(best, figure(then));
    bar.style.transform = `scaleX(${within(now)})`;
    tick.style.left = `${100 * within(then)}%`;
    hide(tick, known(then) === null);
    item.title = known(now) === null ? text("not_measured") : "";
  }
}
