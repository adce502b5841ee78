// Chart: the histogram of the probabilities over their colours; the thresholds are lines in it that can be dragged.

const CHART_HEIGHT = 132;

class Chart {
  /** on: {move(name, level), settle()}; name: "threshold" or "low". */
  constructor(root, on) {
    this.root = root;
    this.plot = root.querySelector(".lab-plot");
    this.canvas = root.querySelector(".lab-bars");
    this.lines = { threshold: root.querySelector(".lab-line"), low: root.querySelector(".lab-line-low") };
    this.within = root.querySelector(".lab-within");
    this.weak = root.querySelector(".lab-weak");
    this.on = on;
    this.log = true;
    this.plot.addEventListener("pointerdown", (event) => this.down(event));
    this.plot.addEventListener("pointermove", (event) => this.dragged && this.on.move(this.dragged, this.levelAt(event)));
    for (const end of ["pointerup", "pointercancel"]) this.plot.addEventListener(end, () => this.up());
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** counts: pixels per value, 256; split: the same of the labelled class alone, or null. */
  setCounts(counts, split, colors) {
    Object.assign(this, { counts, split, colors });
    this.root.querySelector(".lab-scale").style.background = gradient(colors);
    this.draw();
  }

  setLog(log) {
    this.log = log;
    this.draw();
  }

  /** The bars; only when what they count, the scale or the size changes. */
  draw() {
    const width = (this.size = this.plot.clientWidth);
    if (this.at) this.move(this.at.threshold, this.at.low);
    if (!width || !this.counts) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(CHART_HEIGHT * ratio) });
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.root);
    this.bars(context, this.counts, style.getPropertyValue("--bar"), width);
    if (this.split) this.bars(context, this.split, style.getPropertyValue("--bar-class"), width);
  }

  bars(context, counts, color, width) {
    const size = (count) => (this.log ? Math.log10(1 + count) : count);
    // The highest bar of a map that is mostly nothing would flatten all others in the linear scale as well; the second
    // largest sets the scale there, and the few that stand out are cut.
    const sorted = [...this.counts].sort((a, b) => b - a);
    const top = size(this.log ? sorted[0] : Math.max(sorted[2], 1)) || 1;
    context.fillStyle = color;
    const step = width / LEVELS;
    for (let value = 0; value < LEVELS; value++) {
      const height = Math.min(1, size(counts[value]) / top) * (CHART_HEIGHT - 4);
      if (counts[value]) context.fillRect(value * step, CHART_HEIGHT - Math.max(1, height), step + 0.75, height + 1);
    }
  }

  /** level, low: where the lines stand; low is null without hysteresis. Only the compositor is at work here. */
  move(level, low) {
    this.at = { threshold: level, low };
    const width = this.size || 0;
    const share = level / LEVELS;
    this.lines.threshold.style.transform = `translateX(${share * width}px)`;
    this.within.style.transform = `scaleX(${1 - share})`;
    for (const node of [this.lines.low, this.weak]) hide(node, low === null);
    if (low === null) return;
    const below = low / LEVELS;
    this.lines.low.style.transform = `translateX(${below * width}px)`;
    // Its stripes would be squeezed by scaling.
    this.weak.style.clipPath = `inset(0 ${100 * (1 - share)}% 0 ${100 * below}%)`;
  }

  levelAt(event) {
    const box = this.plot.getBoundingClientRect();
    const level = Math.round(((event.clientX - box.left) / box.width) * LEVELS);
    return Math.min(FULL, Math.max(0, level));
  }

  down(event) {
    if (event.button || !this.counts) return;
    event.preventDefault();
    this.plot.setPointerCapture(event.pointerId);
    const at = this.levelAt(event);
    const { low, threshold } = this.at;
    const lower = low !== null && (Math.abs(low - at) < Math.abs(threshold - at) || (low === threshold && at < low));
    this.dragged = lower ? "low" : "threshold";
    this.on.move(this.dragged, at);
  }

  up() {
    if (!this.dragged) return;
    this.dragged = null;
    this.on.settle();
  }
}


/** 256 colours as a CSS gradient from left to right. */
function gradient(colors) {
  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255];
  return `linear-gradient(to right, ${stops.map((value) => css(colors[value])).join(", ")})`;
}
