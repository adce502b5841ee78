// History: what can be undone. A step keeps the squares of the plane that it changed, as they were before; undoing swaps
// them with what is there, so that the same squares lead back.

const SQUARE_BITS = 7;
const SQUARE = 1 << SQUARE_BITS; // pixels a side
const MOST_HISTORY = 96 * 2 ** 20; // bytes of all steps
const MOST_STEPS = 1000;

class History {
  constructor(plane) {
    this.plane = plane;
    this.columns = Math.ceil(plane.width / SQUARE);
    this.rows = Math.ceil(plane.height / SQUARE);
    this.seen = new Uint8Array(this.columns * this.rows); // squares that the present step has kept
    this.step = new Map(); // number of a square -> its bytes, or one value where all are equal
    this.past = [];
    this.future = [];
    this.bytes = 0;
  }

  /** Before pixels from..to-1 of row y change. */
  touch(from, to, y) {
    const first = (y >> SQUARE_BITS) * this.columns;
    for (let square = first + (from >> SQUARE_BITS); square <= first + ((to - 1) >> SQUARE_BITS); square++) this.keep(square);
  }

  touchAll() {
    for (let square = 0; square < this.seen.length; square++) this.keep(square);
  }

  keep(square) {
    if (this.seen[square]) return;
    this.seen[square] = 1;
    this.step.set(square, this.read(square));
  }

  box(square) {
    const x = (square % this.columns) * SQUARE;
    const y = Math.floor(square / this.columns) * SQUARE;
    return [x, y, Math.min(this.plane.width, x + SQUARE), Math.min(this.plane.height, y + SQUARE)];
  }

  /** A square's bytes, or their value where they are all equal. */
  read(square) {
    const [x0, y0, x1, y1] = this.box(square);
    const { data, width } = this.plane;
    const bytes = new Uint8Array((x1 - x0) * (y1 - y0));
    for (let y = y0; y < y1; y++) bytes.set(data.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
    return areEqual(bytes) ? bytes[0] : bytes;
  }

  write(square, kept) {
    const [x0, y0, x1, y1] = this.box(square);
    const { data, width } = this.plane;
    for (let y = y0; y < y1; y++) {
      const at = y * width;
      if (typeof kept === "number") data.fill(kept, at + x0, at + x1);
      else data.set(kept.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0)), at + x0);
    }
  }

  /** The step is done. Returns whether it changed anything. */
  commit() {
    const { step } = this;
    this.step = new Map();
    for (const [square, kept] of step) {
      this.seen[square] = 0;
      if (sameBytes(kept, this.read(square))) step.delete(square);
    }
    if (!step.size) return false;
    this.past.push(step);
    this.bytes += bytesOf(step);
    for (const undone of this.future.splice(0)) this.bytes -= bytesOf(undone);
    while (this.past.length > 1 && (this.bytes > MOST_HISTORY || this.past.length > MOST_STEPS)) {
      this.bytes -= bytesOf(this.past.shift());
    }
    return true;
  }

  /** The step is taken back as if it had never begun. */
  cancel() {
    const { step } = this;
    this.step = new Map();
    for (const square of step.keys()) this.seen[square] = 0;
    if (step.size) this.swap(step);
  }

  undo() {
    return this.travel(this.past, this.future);
  }

  redo() {
    return this.travel(this.future, this.past);
  }

  travel(from, to) {
    const step = from.pop();
    if (!step) return false;
    this.bytes -= bytesOf(step);
    this.swap(step);
    this.bytes += bytesOf(step);
    to.push(step);
    return true;
  }

  /** Exchanges a step's squares with those of the plane. */
  swap(step) {
    const { counts } = this.plane;
    const all = [Infinity, Infinity, 0, 0];
    for (const [square, kept] of step) {
      const now = this.read(square);
      const box = this.box(square);
      const pixels = (box[2] - box[0]) * (box[3] - box[1]);
      count(counts, now, pixels, -1);
      count(counts, kept, pixels, 1);
      this.write(square, kept);
      step.set(square, now);
      for (const side of [0, 1]) all[side] = Math.min(all[side], box[side]);
      for (const side of [2, 3]) all[side] = Math.max(all[side], box[side]);
    }
    this.plane.changed(...all);
  }
}

function count(counts, kept, pixels, sign) {
  if (typeof kept === "number") counts[kept] += sign * pixels;
  else for (let i = 0; i < kept.length; i++) counts[kept[i]] += sign;
}

function bytesOf(step) {
  let bytes = 0;
  for (const kept of step.values()) bytes += typeof kept === "number" ? 64 : kept.length + 64;
  return bytes;
}

function sameBytes(one, other) {
  if (typeof one === "number" || typeof other === "number") return one === other;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

function areEqual(bytes) {
  const [first] = bytes;
  for (let i = 1; i < bytes.length; i++) if (bytes[i] !== first) return false;
  return true;
}
