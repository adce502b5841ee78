// Series: points of a curve and the numbers along an axis. A point is [step, value].

/** The points of two lists that are both known. */
function points(steps, values) {
  const found = [];
  for (let index = 0; index < (steps?.length || 0); index++) {
    const [x, y] = [known(steps[index]), known(values?.[index])];
    if (x !== null && y !== null) found.push([x, y]);
  }
  return found;
}

/** A mean that forgets: the weight of the past falls with the number of points, and its start is not pulled to 0. */
function smoothed(found) {
  const keep = 1 - 1 / Math.min(20, Math.max(2, found.length / 15));
  let sum = 0;
  let weight = 0;
  return found.map(([x, y]) => {
    sum = keep * sum + (1 - keep) * y;
    weight = keep * weight + (1 - keep);
    return [x, sum / weight];
  });
}

/** The point whose step is nearest; null where there is none. */
function nearest(found, step) {
  let best = null;
  for (const point of found) if (!best || Math.abs(point[0] - step) < Math.abs(best[0] - step)) best = point;
  return best;
}

/** About `count` round numbers from `least` to `most`. */
function ticks(least, most, count) {
  const span = most - least;
  if (!(span > 0) || !Number.isFinite(span)) return [least];
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = power * ([1, 2, 5, 10].find((times) => span / (times * power) <= count) || 10);
  const first = Math.ceil(least / step - 1e-9);
  const last = Math.floor(most / step + 1e-9);
  return Array.from({ length: Math.min(50, last - first + 1) }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Powers of ten from `least` to `most`, with twos and fives between them where they are few. */
function powers(least, most) {
  const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const every = Math.max(1, Math.ceil((last - first) / 6));
  const digits = last - first <= 1 ? [1, 2, 3, 5, 7] : last - first <= 3 ? [1, 2, 5] : [1];
  const found = [];
  for (let power = first; power <= last; power += every) {
    for (const digit of digits) found.push(Number((digit * 10 ** power).toPrecision(3)));
  }
  return found.filter((value) => value >= least && value <= most);
}

/** [least, most] of the loss's axis: of what is smooth, and of all but the highest twentieth of what is raw. */
function lossRange(raw, smooth, validation, log) {
  const sorted = raw.map(([, y]) => y).sort((a, b) => a - b);
  const values = [...smooth, ...validation].map(([, y]) => y);
  if (sorted.length) values.push(sorted[Math.floor(0.95 * (sorted.length - 1))], sorted[0]);
  const usable = log ? values.filter((value) => value > 0) : values;
  if (!usable.length) return log ? [0.1, 1] : [0, 1];
  const [least, most] = [Math.min(...usable), Math.max(...usable)];
  if (log) return [least / 1.15, Math.max(most, least * 1.01) * 1.15];
  const low = Math.min(0, least);
  return [low, most + 0.06 * (most - low || 1)];
}
