// Tools: what a press, a drag and a release on the picture do.

const LARGEST_BRUSH = 200;
const TOOLS = ["brush", "eraser", "fill", "lasso", "hand"];

class Tools {
  /** changed(): a step is done. */
  constructor(lassoNode, changed) {
    Object.assign(this, { changed, tool: "brush", id: 0, size: 15, painting: false, plane: null });
    this.lasso = new Lasso(lassoNode, (points) => {
      this.plane.polygon(points, this.id);
      this.finish();
    });
  }

  setPlane(plane) {
    this.plane = plane;
    this.painting = false;
    this.lasso.cancel();
  }

  choose(tool) {
    this.stop();
    this.tool = tool;
  }

  /** What the tool writes. */
  get writes() {
    return this.tool === "eraser" ? UNLABELLED : this.id;
  }

  get hasOutline() {
    return this.tool === "brush" || this.tool === "eraser";
  }

  setSize(size) {
    this.size = Math.min(LARGEST_BRUSH, Math.max(1, Math.round(Number(size) || 1)));
  }

  begin(x, y, view) {
    if (this.hasOutline) {
      this.painting = true;
      this.rows = brushRows(this.size);
      this.last = brushCorner(this.size, x, y);
      this.plane.stroke(this.last, this.last, this.rows, this.writes);
    } else if (this.tool === "fill") {
      if (this.plane.at(x, y) === null) return;
      this.plane.flood(Math.floor(x), Math.floor(y), this.id);
      this.finish();
    } else if (this.tool === "lasso") {
      this.lasso.press(x, y, view);
    }
  }

  draw(places, view) {
    if (this.tool === "lasso") return this.lasso.draw(places, view);
    if (!this.painting) return;
    for (const place of places) {
      const corner = brushCorner(this.size, ...place);
      this.plane.stroke(this.last, corner, this.rows, this.writes);
      this.last = corner;
    }
  }

  end() {
    if (this.tool === "lasso") this.lasso.release();
    if (this.painting) this.finish();
  }

  /** The press turned out to be something else. */
  cancel() {
    if (this.tool === "lasso") this.lasso.cancel();
    if (!this.painting) return;
    this.painting = false;
    this.plane.history.cancel();
  }

  /** Before anything else is done with the plane: a stroke that is underway ends here. */
  stop() {
    this.lasso.cancel();
    if (this.painting) this.finish();
  }

  finish() {
    this.painting = false;
    if (this.plane.history.commit()) this.changed();
  }
}
