// Port: the viewport of a stage on which is painted. One finger, the left button or a pen paints; two fingers, the middle
// button, or any while `on.pans()`, move the picture.

class PaintPort extends Viewport {
  /** on, beside those of Viewport: {pans(), begin(x, y), draw(points), end(), cancel(), twice()}; in image pixels. */
  constructor(stage, world, on) {
    super([stage], [world], on);
    this.grip = null; // "paint", "pan" or "pinch"
    // Else the middle button would scroll the page.
    stage.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
    stage.addEventListener("contextmenu", (event) => this.grip && event.preventDefault()); // a long press on a phone
  }

  down(event) {
    if (event.button > 1) return;
    const stage = event.currentTarget;
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    const at = this.local(event);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size > 1) {
      if (this.grip === "paint") this.on.cancel(); // what the first finger did was the beginning of a pinch
      this.grip = "pinch";
    } else if (event.button === 1 || this.on.pans()) {
      this.grip = "pan";
    } else {
      this.grip = "paint";
      this.on.begin(...this.toImage(...at));
    }
    stage.classList.toggle("sb-dragging", this.grip === "pan");
    this.on.point(...at);
  }

  move(event) {
    const now = this.local(event);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      if (others.length) this.pinch(before, now, others[0]);
      else if (this.grip === "paint") this.on.draw(this.between(event, now));
      else this.pan(now[0] - before[0], now[1] - before[1]);
      this.pointers.set(event.pointerId, now);
    }
    this.on.point(...now);
  }

  /** All places where the pointer was since the last event, in image pixels: the browser tells them once a frame. */
  between(event, now) {
    const all = event.getCoalescedEvents?.() || [];
    const [dx, dy] = [now[0] - event.clientX, now[1] - event.clientY];
    const places = all.map((each) => this.toImage(each.clientX + dx, each.clientY + dy));
    return places.length ? places : [this.toImage(...now)];
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.grip === "paint") {
      if (event.type === "pointercancel") this.on.cancel();
      else this.on.end();
    }
    if (!this.pointers.size) this.grip = null;
    event.currentTarget.classList.remove("sb-dragging");
    if (event.pointerType === "touch") this.on.point(null);
  }

  doubleClick() {
    this.on.twice();
  }
}
