// State: the threshold and the filters, what was before them (undo), and the address that brings them back.

const START = { threshold: 0.5, low: null, smallestObject: 0, smallestHole: 0 };
const IN_LINK = { threshold: "t", low: "low", smallestObject: "object", smallestHole: "hole" };
const MOST_UNDONE = 200;

class State {
  constructor() {
    this.now = { ...START };
    this.past = [];
    this.future = [];
    this.settled = this.now; // what the visitor last let go of
  }

  get level() {
    return thresholdLevel(this.now.threshold);
  }

  get lowLevel() {
    return this.now.low === null ? null : thresholdLevel(this.now.low);
  }

  /** Takes over what is valid of `values`; the low threshold never lies above the other one. */
  change(values) {
    const next = { ...this.now, ...values };
    next.threshold = clamped(next.threshold, 0, 1);
    if (next.low !== null) {
      next.low = clamped(next.low, 0, 1);
      // Whichever is moved stops at the other.
      if (next.low > next.threshold) {
        if ("low" in values) next.low = next.threshold;
        else next.threshold = next.low;
      }
    }
    for (const name of ["smallestObject", "smallestHole"]) next[name] = Math.round(clamped(next[name], 0, 1e9));
    this.now = next;
  }

  /** The visitor let go: from here undo goes back to what was settled before. */
  settle() {
    if (same(this.now, this.settled)) return false;
    this.past.push(this.settled);
    if (this.past.length > MOST_UNDONE) this.past.shift();
    this.future = [];
    this.settled = this.now;
    return true;
  }

  undo() {
    this.settle();
    return this.step(this.past, this.future);
  }

  redo() {
    return this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return false;
    to.push(this.settled);
    this.now = this.settled = from.pop();
    return true;
  }

  /** Another picture: nothing to undo. */
  restart(values) {
    this.past = [];
    this.future = [];
    this.change(values);
    this.settled = this.now;
  }

  /** The page's address with all of this in it; link: what tells the picture. */
  address(link) {
    const address = new URL(location.href);
    const query = address.searchParams;
    for (const name of ["model", "example", "picture", "class", ...Object.values(IN_LINK)]) query.delete(name);
    query.set("tab", "threshold");
    for (const [name, value] of Object.entries(link)) query.set(name, value);
    for (const [name, short] of Object.entries(IN_LINK)) {
      if (name === "threshold" || this.now[name] !== START[name]) query.set(short, this.now[name]);
    }
    return address.href;
  }
}

function clamped(value, least, most) {
  return Math.min(most, Math.max(least, Number(value) || 0));
}

function same(one, other) {
  return Object.keys(START).every((name) => one[name] === other[name]);
}
