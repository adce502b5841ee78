// Lasso: a line around what is to be filled, drawn in one go or corner by corner.

const CLOSE = 10; // CSS pixels from the first corner that close the line
const APART = 2; // CSS pixels between two points of a line that is drawn

class Lasso {
  /** node: a <path> per colour of the line. closed(points): the line is complete. */
  constructor(node, closed) {
    Object.assign(this, { node, closed, points: [], presses: 0, drawn: false });
  }

  get open() {
    return this.points.length > 0;
  }

  press(x, y, view) {
    if (this.points.length > 2 && this.far([x, y], this.points[0], view) < CLOSE) return this.close();
    this.presses += 1;
    this.drawn = false;
    this.points.push([x, y]);
    this.show(view);
  }

  draw(places, view) {
    if (!this.open) return;
    for (const place of places) {
      if (this.far(place, this.points.at(-1), view) < APART) continue;
      this.points.push(place);
      this.drawn = true;
    }
    this.show(view);
  }

  /** A line that was drawn in one go closes by itself. */
  release() {
    if (this.open && this.drawn && this.presses === 1) this.close();
  }

  close() {
    const { points } = this;
    this.cancel();
    if (points.length > 2) this.closed(points);
  }

  cancel() {
    Object.assign(this, { points: [], presses: 0, drawn: false });
    this.show(null);
  }

  back(view) {
    this.points.pop();
    if (!this.open) this.cancel();
    else this.show(view);
  }

  far([x0, y0], [x1, y1], view) {
    return Math.hypot(x1 - x0, y1 - y0) * view.scale;
  }

  show(view) {
    this.node.style.display = this.open ? "" : "none";
    if (!this.open) return;
    const line = this.points.map(([x, y]) => `${view.x + x * view.scale} ${view.y + y * view.scale}`).join("L");
    for (const path of this.node.children) path.setAttribute("d", `M${line}${this.points.length > 2 ? "Z" : ""}`);
  }
}
