// Curves: loss, IoU and learning rate over the steps, read at one step together.

const MANY = 12; // classes; the lines of more are pale, so that the mean is seen
const MOST_NAMED = 6; // classes in the legend of the IoU; the bars have all

class Curves {
  constructor(root) {
    this.root = root;
    this.log = false;
    this.at = null; // step that is read; null: the newest
    this.range = null; // [first, last] step in sight; null: all
    const on = { point: (step) => this.point(step), zoom: (range) => this.zoom(range) };
    const plot = (name, options) => new Plot(root.querySelector(`[data-plot=${name}]`), options, on);
    this.plots = {
      loss: plot("loss", { feet: true }),
      iou: plot("iou", { feet: true }),
      rate: plot("rate", { feet: false }),
    };
    this.legends = Object.fromEntries(Object.entries(this.plots).map(([name, { root: box }]) => [name, new Legend(box)]));
    this.button = root.querySelector("[data-act=log]");
    this.whole = root.querySelector("[data-act=whole]");
    this.whole.addEventListener("click", () => this.zoom(null));
    this.button.addEventListener("click", () => {
      this.log = !this.log;
      this.button.setAttribute("aria-pressed", String(this.log));
      if (this.document) this.draw();
    });
  }

  setDocument(document) {
    this.document = document;
    this.draw();
  }

  /** Another run. */
  restart() {
    this.range = this.document = null;
    this.point(null);
  }

  /** range: [first, last] step, or null for all. */
  zoom(range) {
    this.range = range;
    if (this.document) this.draw();
  }

  draw() {
    hide(this.whole, !this.range);
    const { steps, validations, classes, step, epoch, best, resumed, unmeasured } = this.document;
    const at = validations.map((each) => each.step);
    const metric = (name) => points(at, validations.map((each) => each.metrics?.[name]));
    const raw = points(steps.step, steps.loss);
    const smooth = smoothed(raw);
    const measured = metric("loss");
    const mean = metric("mean_iou");
    const rate = points(steps.step, steps.learning_rate);
    const own = classes.map(({ name, color }, index) => ({
      name: "class:" + index, title: name, color, kind: "class", points: points(at, validations.map((each) => each.iou?.[index])),
    }));
    this.epochs = known(epoch) > 0 && known(step) > 0 ? epoch / step : null;
    const all = [...steps.step, ...at].map(known).filter((each) => each !== null);
    const [first, last] = this.range || [0, Math.max(1, known(step) ?? 0, ...all)];
    const inside = (found) => found.filter(([x]) => x >= first && x <= last);
    const common = {
      first, last, epochs: this.epochs, marks: [], log: false, none: "",
      rules: (resumed || []).map(known).filter((each) => each > 0 && each >= first && each <= last),
    };
    this.plots.loss.set({
      ...common,
      log: this.log,
      range: lossRange(inside(raw), inside(smooth), inside(measured), this.log),
      lines: [
        { name: "raw", kind: "raw", points: raw },
        { name: "training", title: text("training"), kind: "training", points: smooth },
        ...(unmeasured ? [] : [{ name: "validation", title: text("validation"), kind: "validation", points: measured }]),
      ],
      stops: places(inside(raw), inside(measured)),
      none: raw.length ? "" : text("no_step"),
    });
    this.plots.iou.root.toggleAttribute("data-many", classes.length > MANY);
    const found = mean.find(([x]) => x === best);
    this.plots.iou.set({
      ...common,
      range: [0, 1],
      lines: [...own, { name: "mean", title: text("mean"), kind: "mean", points: mean }],
      marks: found && inside([found]).length ? [{ x: found[0], y: found[1], name: "watch-best" }] : [],
      stops: places(...[mean, ...own.map((each) => each.points)].map(inside)),
      none: unmeasured ? text("no_pictures") : mean.length || own.some((each) => each.points.length) ? "" : text("no_validation"),
      best: found,
    });
    const top = Math.max(0, ...rate.map(([, y]) => y));
    this.plots.rate.set({
      ...common,
      range: [0, top > 0 ? 1.08 * top : 1],
      lines: [{ name: "rate", kind: "rate", title: "", points: rate }],
      stops: places(inside(rate)),
      none: rate.length ? "" : text("no_step"),
    });
    this.read();
  }

  point(step) {
    if (step === this.at) return;
    this.at = step;
    for (const plot of Object.values(this.plots)) plot.point(step);
    if (this.document) this.read();
  }

  /** What each line has at the step, in words. */
  read() {
    for (const [name, plot] of Object.entries(this.plots)) {
      const { lines, stops, best, none } = plot.given;
      const step = this.at ?? stops.at(-1) ?? null;
      const named = lines.filter((each) => each.kind !== "raw");
      const order = name === "iou" ? [named.at(-1), ...named.slice(0, -1)] : named;
      const entries = none ? [] : order.slice(0, 1 + MOST_NAMED).map((each) => ({ ...each, value: at(each.points, step) }));
      if (best) entries.splice(1, 0, { kind: "best", title: text("best", { step: whole(best[0]) }), value: best[1] });
      if (plot.given.rules.length && !none && name !== "rate") entries.push({ kind: "resumed", title: text("resumed") });
      const rest = none ? 0 : order.length - 1 - MOST_NAMED;
      this.legends[name].show(entries, rest > 0 ? text("more_classes", { n: whole(rest) }) : "", this.place(step));
      const { root } = plot;
      root.setAttribute("aria-valuemin", stops[0] ?? 0);
      root.setAttribute("aria-valuemax", stops.at(-1) ?? 0);
      root.setAttribute("aria-valuenow", step ?? 0);
      root.setAttribute("aria-valuetext", [this.place(step), ...entries.map(({ title, value }) => `${title} ${figure(value)}`)].join(", "));
    }
  }

  /** A step in words. */
  place(step) {
    if (step === null) return "";
    const parts = [text("at_step", { step: whole(step) })];
    if (this.epochs) parts.push(text("at_epoch", { epoch: amount(step * this.epochs) }));
    return parts.join(" · ");
  }

  /** A class that is pointed at elsewhere stands out; null for none. */
  highlight(index) {
    for (const [name, path] of this.plots.iou.lines) path.classList.toggle("watch-lit", name === "class:" + index);
  }
}

/** Names, colours and values of the lines of one plot; the nodes stay while the lines do. */
class Legend {
  constructor(box) {
    this.list = box.parentElement.querySelector(".watch-legend");
    this.at = box.parentElement.querySelector(".watch-at");
    this.values = [];
  }

  show(entries, rest, place) {
    const key = JSON.stringify([entries.map(({ title, kind, color }) => [title, kind, color]), rest]);
    if (key !== this.key) {
      this.key = key;
      this.values = entries.map(() => make("b", ""));
      const made = entries.map(({ title, kind, color }, index) => {
        const entry = make("span", "");
        const mark = make("i", "watch-mark watch-" + kind);
        if (color) mark.style.setProperty("--color", css(color));
        const name = make("span", "watch-title", title);
        name.title = title;
        entry.append(mark, ...(title ? [name] : []), this.values[index]);
        return entry;
      });
      this.list.replaceChildren(...made, ...(rest ? [make("span", "", rest)] : []));
    }
    entries.forEach(({ value, kind }, index) => setWords(this.values[index], kind === "resumed" ? "" : kind === "rate" ? amount(value) : figure(value)));
    setWords(this.at, place);
  }
}

/** The value nearest to a step. */
function at(found, step) {
  return step === null ? null : (nearest(found, step)?.[1] ?? null);
}

/** All steps of some curves, in order. */
function places(...curves) {
  return [...new Set(curves.flat().map(([x]) => x))].sort((a, b) => a - b);
}
