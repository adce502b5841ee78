// Viewport: where the picture lies on the stage - zoom, pan, wheel, pinch, and which image pixel is pointed at.
// Several stages of one size that show the same picture move as one.

const MAX_SCALE = 48; // screen pixels per image pixel
const PIXELATED_FROM = 3;
const SCROLL_GRACE = 250; // ms after a page scroll in which the wheel goes on scrolling the page

class Viewport {
  /** worlds: one per stage. on: {moved(), point(x, y) or point(null)}; x and y in CSS pixels of the stage. */
  constructor(stages, worlds, on) {
    Object.assign(this, { stages, worlds, on, scale: 1, x: 0, y: 0, width: 0, height: 0, imageWidth: 1, imageHeight: 1 });
    this.fitted = true;
    this.pointers = new Map();
    this.lastScroll = 0;
    const observer = new ResizeObserver(() => this.resized());
    const scrolled = () => {
      this.lastScroll = performance.now();
      if (!stages[0].isConnected) window.removeEventListener("scroll", scrolled, true); // Gradio took the page apart
    };
    window.addEventListener("scroll", scrolled, true);
    for (const stage of stages) {
      observer.observe(stage);
      this.listen(stage);
    }
  }

  listen(stage) {
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.doubleClick(event));
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.up(event));
    stage.addEventListener("pointercancel", (event) => this.up(event));
    stage.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.on.point(null));
  }

  /** Keeps the zoom where the new picture has the old one's size, so two results can be compared in place. */
  setImage(width, height) {
    const same = width === this.imageWidth && height === this.imageHeight;
    Object.assign(this, { imageWidth: width, imageHeight: height });
    for (const world of this.worlds) {
      world.style.width = width + "px";
      world.style.height = height + "px";
    }
    if (same) this.resized();
    else this.fit();
  }

  get fitScale() {
    return Math.min(this.width / this.imageWidth, this.height / this.imageHeight) || 1;
  }

  get zoomed() {
    return this.scale > this.fitScale * 1.005;
  }

  resized() {
    const seen = this.stages.find((stage) => stage.clientWidth);
    if (!seen) return; // in a tab that is not open
    this.width = seen.clientWidth;
    this.height = seen.clientHeight;
    if (this.fitted) this.fit();
    else this.place(this.scale, this.x, this.y);
  }

  fit() {
    this.place(this.fitScale, 0, 0);
  }

  /** Zooms by `factor` about a point of the stage (its middle by default). */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const limit = Math.max(MAX_SCALE, this.fitScale);
    const scale = Math.min(limit, Math.max(this.fitScale, this.scale * factor));
    const change = scale / this.scale;
    this.place(scale, x - (x - this.x) * change, y - (y - this.y) * change);
  }

  pan(dx, dy) {
    this.place(this.scale, this.x + dx, this.y + dy);
  }

  place(scale, x, y) {
    const inside = (at, room, size) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at)));
    this.scale = scale;
    this.x = inside(x, this.width, this.imageWidth * scale);
    this.y = inside(y, this.height, this.imageHeight * scale);
    this.fitted = !this.zoomed;
    this.on.moved();
  }

  /** Writes the position to the page; called once a frame. */
  apply() {
    // A small photo that merely fills the stage stays smooth; who zooms further wants to see the pixels.
    const blocky = this.scale >= PIXELATED_FROM && (this.zoomed || this.scale > 4 * PIXELATED_FROM);
    for (const world of this.worlds) {
      world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
      world.classList.toggle("sc-pixelated", blocky);
    }
    for (const stage of this.stages) stage.classList.toggle("sc-zoomed", this.zoomed);
  }

  local(event) {
    const stage = event.currentTarget;
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left - stage.clientLeft, event.clientY - box.top - stage.clientTop];
  }

  toImage(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  wheel(event) {
    const pinch = event.ctrlKey || event.metaKey;
    const scrolling = performance.now() - this.lastScroll < SCROLL_GRACE;
    // Someone scrolling past the picture must not get stuck on it, and at fit there is nothing to zoom out of.
    if (!pinch && (scrolling || (event.deltaY > 0 && !this.zoomed))) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const strength = pinch ? 0.01 : 0.0018;
    this.zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * unit)) * strength), ...this.local(event));
  }

  doubleClick(event) {
    if (this.zoomed) this.fit();
    else this.zoom(3, ...this.local(event));
  }

  down(event) {
    if (event.button) return; // the menu of the right button swallows its release, and the drag would stick
    this.pointers.set(event.pointerId, this.local(event));
    event.currentTarget.setPointerCapture(event.pointerId);
    this.travel = this.pointers.size > 1 ? Infinity : 0;
  }

  move(event) {
    const now = this.local(event);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      if (others.length) this.pinch(before, now, others[0]);
      else if (this.zoomed) this.pan(now[0] - before[0], now[1] - before[1]);
      this.pointers.set(event.pointerId, now);
      this.travel += Math.hypot(now[0] - before[0], now[1] - before[1]);
      event.currentTarget.classList.toggle("sc-dragging", this.zoomed);
    }
    if (event.pointerType === "mouse") this.on.point(...now);
  }

  pinch(before, now, other) {
    const distance = (a, b) => Math.max(8, Math.hypot(a[0] - b[0], a[1] - b[1]));
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.zoom(distance(now, other) / distance(before, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  up(event) {
    const known = this.pointers.delete(event.pointerId);
    event.currentTarget.classList.remove("sc-dragging");
    // A finger has no hover: a tap asks what is there, a drag takes the answer away.
    if (known && event.type === "pointerup" && event.pointerType !== "mouse") {
      if (this.travel < 10) this.on.point(...this.local(event));
      else this.on.point(null);
    }
  }
}
