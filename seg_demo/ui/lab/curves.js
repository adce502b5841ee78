// Curves: precision over recall, F1 and IoU over the threshold, and the calibration, as small diagrams.

const SIDE = 200; // of the square that the curves are drawn in

class Curves {
  constructor(root) {
    this.root = root;
    this.diagrams = Object.fromEntries(
      [...root.querySelectorAll("svg[data-diagram]")].map((svg) => [svg.dataset.diagram, svg]),
    );
  }

  /** sweep: what is drawn, or null for nothing. */
  setSweep(sweep) {
    this.sweep = sweep;
    this.root.hidden = !sweep;
    if (!sweep) return;
    const { ranking, levels, calibration } = this.diagrams;
    const { precision, recall, f1, iou } = Object.fromEntries(FIGURES.map((name) => [name, sweep.curve(name)]));
    const reached = recall.map((value, level) => [value, precision[level]]).filter(([, value]) => !Number.isNaN(value));
    if (reached.length) reached.push([0, reached.at(-1)[1]]);
    frame(ranking, steps(reached));
    ranking.append(node("circle", { r: 5, class: "lab-point" }));
    const over = (values) => values.map((value, level) => [thresholdOf(level), value]);
    frame(levels, path(over(f1), "lab-curve"), path(over(iou), "lab-curve lab-second"));
    levels.append(
      node("line", { y1: 0, y2: SIDE, class: "lab-now" }),
      node("circle", { r: 4.5, class: "lab-point" }),
      node("circle", { r: 4.5, class: "lab-point lab-second" }),
    );
    const { bins, error } = sweep.calibration();
    frame(calibration, ...bars(bins), path([[0, 0], [1, 1]], "lab-diagonal"));
    const known = bins.filter((bin) => bin.pixels).map((bin) => [bin.confidence, bin.frequency]);
    calibration.append(...known.map(([x, y]) => node("circle", { cx: SIDE * x, cy: SIDE * (1 - y), r: 3, class: "lab-dot" })));
    const say = (name, value) => (this.root.querySelector(`[data-value=${name}]`).textContent = figure(value));
    say("average_precision", sweep.averagePrecision());
    say("calibration_error", error);
  }

  /** The current point; the curves stay. */
  move(level) {
    if (!this.sweep) return;
    const now = this.sweep.at(level);
    const { ranking, levels } = this.diagrams;
    place(ranking.querySelector(".lab-point"), now.recall, now.precision);
    const [first, second] = levels.querySelectorAll(".lab-point");
    const at = thresholdOf(level);
    place(first, at, now.f1);
    place(second, at, now.iou);
    levels.querySelector(".lab-now").setAttribute("transform", `translate(${SIDE * at} 0)`);
  }
}

/** Empties a diagram, draws its grid and ticks, and what is given. */
function frame(svg, ...drawn) {
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((at) => [
    node("line", { x1: SIDE * at, x2: SIDE * at, y1: 0, y2: SIDE, class: "lab-grid" }),
    node("line", { y1: SIDE * at, y2: SIDE * at, x1: 0, x2: SIDE, class: "lab-grid" }),
  ]);
  const ticks = [0, 0.5, 1].flatMap((at) => {
    const below = node("text", { x: SIDE * at, y: SIDE + 16, "text-anchor": "middle" });
    const left = node("text", { x: -7, y: SIDE * (1 - at) + 4, "text-anchor": "end" });
    below.textContent = left.textContent = String(at);
    return [below, left];
  });
  svg.replaceChildren(...grid, ...ticks, ...drawn);
}

function path(points, name) {
  const known = points.filter(([x, y]) => !Number.isNaN(x) && !Number.isNaN(y));
  const line = known.map(([x, y]) => `${(SIDE * x).toFixed(2)} ${(SIDE * (1 - y)).toFixed(2)}`).join("L");
  return node("path", { d: known.length ? "M" + line : "", class: name });
}

/** Precision does not lie on the line between two points, so it goes in steps. */
function steps(points) {
  const corners = points.flatMap(([recall, precision], index) => {
    const next = points[index + 1];
    return next ? [[recall, precision], [next[0], precision]] : [[recall, precision]];
  });
  return path(corners, "lab-curve");
}

function bars(bins) {
  const width = SIDE / bins.length;
  return bins.map(({ pixels, frequency }, index) => {
    const height = pixels ? SIDE * frequency : 0;
    return node("rect", { x: index * width, y: SIDE - height, width, height, class: "lab-bar" });
  });
}

function place(point, x, y) {
  const known = !Number.isNaN(x) && !Number.isNaN(y);
  point.setAttribute("visibility", known ? "visible" : "hidden");
  if (known) point.setAttribute("transform", `translate(${SIDE * x} ${SIDE * (1 - y)})`);
}

/** A share from 0 to 1 as it is shown; a dash where it is 0 / 0. */
function figure(value) {
  return Number.isNaN(value) ? "–" : value.toFixed(4);
}
