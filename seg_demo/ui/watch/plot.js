// Plot: curves over the steps as an SVG in pixels, with a line that says where one looks.

const LEAST_DRAG = 12; // pixels
const LEAST_STEPS = 4; // in sight
const EDGE = { left: 58, right: 12, top: 8 };

class Plot {
  /** root: a .watch-plot; feet: whether the steps stand below; on: {point(step or null), zoom(range or null)} */
  constructor(root, { feet }, on) {
    Object.assign(this, { root, feet, on });
    this.svg = root.querySelector("svg");
    this.none = root.querySelector("p");
    this.axes = node("g", {});
    // An svg in an svg cuts what lies outside, such as the first steps of a loss.
    this.plane = node("svg", { x: EDGE.left, y: EDGE.top });
    this.marks = node("g", {});
    this.cursor = node("g", { visibility: "hidden" });
    this.cursor.append(node("line", { y1: EDGE.top, class: "watch-cursor" }));
    this.chosen = node("rect", { y: EDGE.top, class: "watch-chosen", visibility: "hidden" });
    this.svg.append(this.axes, this.plane, this.marks, this.chosen, this.cursor);
    this.lines = new Map();
    this.shown = {};
    this.at = null; // step where the line is
    this.from = null; // step from which on a part is being chosen
    root.addEventListener("pointermove", (event) => this.follow(event));
    root.addEventListener("pointerdown", (event) => this.down(event));
    for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, (event) => this.up(event));
    root.addEventListener("dblclick", () => on.zoom(null));
    root.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && on.point(null));
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("blur", () => on.point(null));
    new ResizeObserver(() => this.draw()).observe(root);
  }

  /**
   * first, last: steps at the edges. range: [least, most] of the values. epochs: per step. rules: steps with a thin line.
   * lines: [{name, points, color}], the first one lies below. marks: [{x, y, name}]. stops: steps that keys go to.
   * none: a sentence in place of curves, or "".
   */
  set(given) {
    this.given = given;
    setWords(this.none, given.none);
    hide(this.none, !given.none);
    this.draw();
  }

  x(step) {
    const { first, last } = this.given;
    return ((step - first) / (last - first)) * this.width;
  }

  y(value) {
    const { range, log } = this.given;
    const [least, most] = log ? range.map(Math.log10) : range;
    const at = ((log ? Math.log10(value) : value) - least) / (most - least);
    return this.height * (1 - Math.min(50, Math.max(-50, at)));
  }

  draw() {
    this.width = this.root.clientWidth - EDGE.left - EDGE.right;
    this.height = this.root.clientHeight - EDGE.top - (this.feet ? 36 : 8);
    if (!this.given || this.width <= 0) return; // in a tab that is not open
    const { lines, marks } = this.given;
    this.plane.setAttribute("width", this.width);
    this.plane.setAttribute("height", this.height);
    this.cursor.firstChild.setAttribute("y2", EDGE.top + this.height);
    this.drawAxes();
    const gone = new Set(this.lines.keys());
    for (const line of lines) {
      gone.delete(line.name);
      this.drawLine(line);
    }
    for (const name of gone) {
      this.lines.get(name).remove();
      this.lines.delete(name);
    }
    const places = marks.map(({ x, y, name }) => [EDGE.left + this.x(x), EDGE.top + this.y(y), name]);
    this.renew("marks", places, () => places.map(([cx, cy, name]) => node("circle", { cx, cy, r: 5.5, class: name })));
    this.point(this.at);
  }

  /** Draws again only what is not as it was. */
  renew(name, key, drawn) {
    const known = JSON.stringify(key);
    if (this.shown[name] === known) return;
    this.shown[name] = known;
    this[name].replaceChildren(...drawn());
  }

  drawAxes() {
    const { first, last, range, epochs, rules, log, none } = this.given;
    const { width, height } = this;
    if (none) return this.renew("axes", [], () => []);
    const steps = ticks(first, last, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger);
    const values = (log ? powers(...range) : ticks(...range, Math.max(2, Math.floor(height / 25)))).map((value) => [value, this.y(value)]);
    this.renew("axes", [width, height, steps, values, first, last, epochs, rules], () => [
      ...values.flatMap(([value, y]) => [
        line(EDGE.left, EDGE.left + width, EDGE.top + y, EDGE.top + y, "watch-grid"),
        words(EDGE.left - 7, EDGE.top + y + 4, amount(value), "end"),
      ]),
      ...(this.feet ? steps.flatMap((step) => this.foot(step, epochs)) : []),
      ...(this.feet ? [words(EDGE.left - 12, EDGE.top + height + 16, text("step"), "end")] : []),
      ...(this.feet && epochs ? [words(EDGE.left - 12, EDGE.top + height + 31, text("epoch"), "end")] : []),
      ...rules.map((step) => line(EDGE.left + this.x(step), EDGE.left + this.x(step), EDGE.top, EDGE.top + height, "watch-resumed")),
    ]);
  }

  foot(step, epochs) {
    const x = EDGE.left + this.x(step);
    const y = EDGE.top + this.height;
    const anchor = this.x(step) > this.width - 18 ? "end" : "middle";
    const at = anchor === "end" ? x + EDGE.right : x;
    const found = [line(x, x, y, y + 4, "watch-grid"), words(at, y + 16, whole(step), anchor)];
    return epochs ? [...found, words(at, y + 31, amount(step * epochs), anchor)] : found;
  }

  drawLine({ name, points: found, color = null, kind }) {
    let path = this.lines.get(name);
    if (!path) {
      path = node("path", { class: "watch-line watch-" + kind });
      if (color) path.style.setProperty("--color", css(color));
      path.dataset.name = name;
      this.lines.set(name, path);
      this.plane.append(path);
    }
    const usable = this.given.log ? found.filter(([, y]) => y > 0) : found;
    const places = usable.map(([x, y]) => `${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`);
    if (places.length === 1) places.push(places[0]); // a line without length ends round: a dot
    const d = places.length ? "M" + places.join("L") : "";
    if (path.getAttribute("d") !== d) path.setAttribute("d", d);
  }

  // Looking ----------------------------------------------------------------------------------------------------

  /** Shows the line at a step, and the points that are read there; null for none. */
  point(step) {
    this.at = step;
    const seen = step !== null && this.given && this.width > 0 && step >= this.given.first && step <= this.given.last;
    this.cursor.setAttribute("visibility", seen ? "visible" : "hidden");
    if (!seen) return;
    const x = EDGE.left + this.x(step);
    this.cursor.firstChild.setAttribute("transform", `translate(${x} 0)`);
    const read = this.given.lines.filter((each) => each.kind !== "raw" && each.kind !== "class");
    const dots = read.flatMap(({ points: found, kind }) => {
      const near = nearest(found, step);
      if (!near || (this.given.log && near[1] <= 0)) return [];
      return [node("circle", { cx: EDGE.left + this.x(near[0]), cy: EDGE.top + this.y(near[1]), r: 4, class: "watch-dot watch-" + kind })];
    });
    this.cursor.replaceChildren(this.cursor.firstChild, ...dots);
  }

  stepAt(event) {
    const { first, last } = this.given;
    const share = within((event.clientX - this.root.getBoundingClientRect().left - EDGE.left) / this.width);
    return first + share * (last - first);
  }

  follow(event) {
    if (!this.given?.stops.length) return;
    const step = this.stepAt(event);
    this.on.point(nearest(this.given.stops.map((each) => [each]), step)[0]);
    if (this.from === null) return;
    const [left, right] = [this.from, step].sort((a, b) => a - b).map((each) => this.x(each));
    const shape = { x: EDGE.left + left, width: right - left, height: this.height, visibility: "visible" };
    for (const [name, value] of Object.entries(shape)) this.chosen.setAttribute(name, value);
  }

  /** A part of the steps is chosen with the mouse; a finger only reads. */
  down(event) {
    if (!this.given) return;
    if (event.pointerType === "mouse" && !event.button && !this.given.none) {
      this.from = this.stepAt(event);
      this.root.setPointerCapture(event.pointerId);
    }
    this.follow(event);
  }

  up(event) {
    const { from } = this;
    this.from = null;
    this.chosen.setAttribute("visibility", "hidden");
    if (from === null || event.type !== "pointerup") return;
    const [first, last] = [from, this.stepAt(event)].sort((a, b) => a - b);
    if (this.x(last) - this.x(first) > LEAST_DRAG) this.zoom(first, last);
  }

  zoom(first, last) {
    const range = [Math.max(0, Math.floor(first)), Math.ceil(last)];
    if (range[1] - range[0] >= LEAST_STEPS) this.on.zoom(range);
  }

  key(event) {
    const { stops = [] } = this.given || {};
    const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") return this.on.point(null);
    if (event.key === "0") return this.on.zoom(null);
    if (event.key === "+" && this.at !== null && this.given) {
      const { first, last } = this.given;
      return this.zoom((this.at + first) / 2, (this.at + last) / 2);
    }
    if (!move || !stops.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const now = this.at === null ? stops.length : stops.indexOf(nearest(stops.map((step) => [step]), this.at)[0]);
    this.on.point(stops[Math.min(stops.length - 1, Math.max(0, now + move))]);
  }
}

function line(x1, x2, y1, y2, name) {
  return node("line", { x1, x2, y1, y2, class: name });
}

function words(x, y, content, anchor) {
  const made = node("text", { x, y, "text-anchor": anchor });
  made.textContent = content;
  return made;
}
