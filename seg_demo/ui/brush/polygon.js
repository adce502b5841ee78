// Polygon: which pixels lie inside a closed line.

/**
 * Calls span(y, from, to) for the pixels whose centres are inside, columns from..to-1, within width x height.
 * points: [[x, y], ...] in image pixels. What a line that crosses itself goes around any number of times is inside.
 */
function polygonSpans(points, width, height, span) {
  let low = Infinity;
  let high = -Infinity;
  for (const [, y] of points) {
    low = Math.min(low, y);
    high = Math.max(high, y);
  }
  const last = Math.min(height - 1, Math.ceil(high));
  for (let y = Math.max(0, Math.floor(low)); y <= last; y++) {
    const crossings = crossingsAt(points, y + 0.5);
    let turns = 0;
    for (let i = 0; i + 1 < crossings.length; i++) {
      turns += crossings[i].turn;
      if (!turns) continue;
      const from = Math.max(0, Math.ceil(crossings[i].x - 0.5));
      const to = Math.min(width, Math.ceil(crossings[i + 1].x - 0.5));
      if (from < to) span(y, from, to);
    }
  }
}

/** Where the line crosses a row, from left to right; turn: 1 on its way down, -1 on its way up. */
function crossingsAt(points, row) {
  const found = [];
  for (let i = 0; i < points.length; i++) {
    const [x0, y0] = points[i];
    const [x1, y1] = points[(i + 1) % points.length];
    if (y0 <= row === y1 <= row) continue;
    found.push({ x: x0 + ((row - y0) / (y1 - y0)) * (x1 - x0), turn: y0 < y1 ? 1 : -1 });
  }
  return found.sort((one, other) => one.x - other.x);
}
