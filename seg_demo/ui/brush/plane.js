// Plane: the label map, and all that can be done to it. Class ids are exact; every change goes through `span` or `merge`.

const UNLABELLED = 255;

/** Columns from..to (exclusive) of each row of a round brush of whole pixels, `size` wide and high. */
function brushRows(size) {
  const middle = (size - 1) / 2;
  return Array.from({ length: size }, (_, y) => {
    const half = Math.sqrt((size / 2) ** 2 - (y - middle) ** 2);
    const from = Math.ceil(middle - half);
    return [from, size - from];
  });
}

/** The pixel at the upper left of a brush that is held at x, y. */
function brushCorner(size, x, y) {
  return [Math.floor(x - size / 2 + 0.5), Math.floor(y - size / 2 + 0.5)];
}

class LabelPlane {
  /** data: (H*W) Uint8Array, or null for a plane without labels. changed(x0, y0, x1, y1): a rectangle to paint again. */
  constructor(width, height, data, changed) {
    Object.assign(this, { width, height, changed });
    this.data = data || new Uint8Array(width * height).fill(UNLABELLED);
    this.counts = histogram(this.data);
    this.history = new History(this);
  }

  get labelled() {
    return this.data.length - this.counts[UNLABELLED];
  }

  at(x, y) {
    if (!(x >= 0 && y >= 0 && x < this.width && y < this.height)) return null;
    return this.data[Math.floor(y) * this.width + Math.floor(x)];
  }

  /** Gives pixels of one row a class; from and to lie within the picture. */
  span(y, from, to, id) {
    this.history.touch(from, to, y);
    const { data, counts } = this;
    const end = y * this.width + to;
    let changed = 0;
    for (let i = y * this.width + from; i < end; i++) {
      const old = data[i];
      if (old === id) continue;
      counts[old]--;
      data[i] = id;
      changed++;
    }
    counts[id] += changed;
  }

  /** Moves a brush from one corner to another, both included. */
  stroke([x0, y0], [x1, y1], rows, id) {
    const { width, height } = this;
    const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0));
    const top = Math.min(y0, y1);
    const count = Math.abs(y1 - y0) + rows.length;
    // Neighbouring positions touch, so what the brush covers in a row has no gap.
    const froms = new Int32Array(count).fill(0x7fffffff);
    const tos = new Int32Array(count).fill(-0x7fffffff);
    for (let step = 0; step <= steps; step++) {
      const share = steps ? step / steps : 0;
      const x = Math.round(x0 + (x1 - x0) * share);
      const shift = Math.round(y0 + (y1 - y0) * share) - top;
      for (let row = 0; row < rows.length; row++) {
        const [from, to] = rows[row];
        if (x + from < froms[shift + row]) froms[shift + row] = x + from;
        if (x + to > tos[shift + row]) tos[shift + row] = x + to;
      }
    }
    let left = width;
    let right = 0;
    const first = Math.max(0, top);
    const last = Math.min(height, top + count);
    for (let y = first; y < last; y++) {
      const from = Math.max(0, froms[y - top]);
      const to = Math.min(width, tos[y - top]);
      if (from >= to) continue;
      this.span(y, from, to, id);
      left = Math.min(left, from);
      right = Math.max(right, to);
    }
    if (left < right) this.changed(left, first, right, last);
  }

  /** Fills the region of equal labels around a pixel (its four neighbours, theirs, ...), row by row. */
  flood(x, y, id) {
    const { data, width, height } = this;
    const from = data[y * width + x];
    if (from === id) return;
    const box = [x, y, x + 1, y + 1];
    const waiting = [y * width + x];
    while (waiting.length) {
      const start = waiting.pop();
      if (data[start] !== from) continue;
      const row = Math.floor(start / width);
      const begin = row * width;
      let left = start;
      let right = start + 1;
      while (left > begin && data[left - 1] === from) left--;
      while (right < begin + width && data[right] === from) right++;
      this.span(row, left - begin, right - begin, id);
      for (const step of [-width, width]) {
        if (row + Math.sign(step) < 0 || row + Math.sign(step) >= height) continue;
        for (let i = left + step; i < right + step; i++) {
          // One pixel of each run is enough: the run is found from there.
          if (data[i] === from && (i === left + step || data[i - 1] !== from)) waiting.push(i);
        }
      }
      box[0] = Math.min(box[0], left - begin);
      box[1] = Math.min(box[1], row);
      box[2] = Math.max(box[2], right - begin);
      box[3] = Math.max(box[3], row + 1);
    }
    this.changed(...box);
  }

  polygon(points, id) {
    polygonSpans(points, this.width, this.height, (y, from, to) => this.span(y, from, to, id));
    this.changed(0, 0, this.width, this.height);
  }

  /** Takes over labels(i) of every pixel i that has none, or of every pixel. labels: (H*W) Uint8Array, or one class id. */
  merge(labels, all) {
    const { data } = this;
    this.history.touchAll();
    const single = typeof labels === "number";
    for (let i = 0; i < data.length; i++) {
      if (all || data[i] === UNLABELLED) data[i] = single ? labels : labels[i];
    }
    this.counts = histogram(data);
    this.changed(0, 0, this.width, this.height);
  }
}
