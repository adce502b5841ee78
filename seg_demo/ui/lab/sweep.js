// Sweep: what every level would give, from the number of pixels per label and probability. See evaluate/threshold.py.

const BINS = 15; // Guo et al. 2017
const FIGURES = ["precision", "recall", "f1", "iou"];

class Sweep {
  /** counts: [background, class], pixels per level, 256 each. */
  constructor(counts) {
    this.counts = counts;
    this.negative = atLeast(counts[0]); // false positives at each level
    this.positive = atLeast(counts[1]); // true positives at each level
    this.positives = this.positive[0];
    this.negatives = this.negative[0];
  }

  /** {tp, fp, fn, tn, precision, recall, f1, iou} of one level; NaN where it is 0 / 0. */
  at(level) {
    const tp = this.positive[level];
    const fp = this.negative[level];
    const fn = this.positives - tp;
    const tn = this.negatives - fp;
    return {
      tp, fp, fn, tn,
      precision: tp / (tp + fp),
      recall: tp / (tp + fn),
      f1: (2 * tp) / (2 * tp + fp + fn),
      iou: tp / (tp + fp + fn),
    };
  }

  /** One figure of all 256 levels. */
  curve(name) {
    return Array.from({ length: LEVELS }, (_, level) => this.at(level)[name]);
  }

  /**
   * The level with the highest figure; of equally good ones the middle of the longest run, of equally long runs the
   * one nearest to 1/2, as on the server. null where no pixel is labelled as the class.
   */
  best(name) {
    if (!this.positives) return null;
    const values = this.curve(name);
    const highest = Math.max(...values.filter((value) => !Number.isNaN(value)));
    let found = null;
    for (let first = 0; first < LEVELS; first++) {
      if (values[first] !== highest) continue;
      let last = first;
      while (last < FULL && values[last + 1] === highest) last++;
      const run = { first, last, length: last - first, off: Math.abs(first + last - FULL) };
      if (!found || run.length > found.length || (run.length === found.length && run.off < found.off)) found = run;
      first = last;
    }
    return Math.floor((found.first + found.last + 1) / 2);
  }

  /** Sum of (R_n - R_n-1) P_n from the highest level to the lowest; NaN without pixels of the class. */
  averagePrecision() {
    if (!this.positives) return NaN;
    let sum = 0;
    for (let level = 0; level < LEVELS; level++) {
      const step = (this.positive[level] - this.positive[level + 1]) / this.positives;
      if (step) sum += step * this.at(level).precision;
    }
    return sum;
  }

  /** {bins: [{pixels, confidence, frequency}], error}: how often pixels of a probability are labelled as the class. */
  calibration() {
    const bins = Array.from({ length: BINS }, () => ({ pixels: 0, sum: 0, positive: 0 }));
    for (let level = 0; level < LEVELS; level++) {
      const bin = bins[Math.max(0, Math.ceil((level * BINS) / FULL) - 1)];
      const pixels = this.counts[0][level] + this.counts[1][level];
      bin.pixels += pixels;
      bin.sum += pixels * level;
      bin.positive += this.counts[1][level];
    }
    const total = this.positives + this.negatives;
    let error = 0;
    for (const bin of bins) {
      bin.confidence = bin.sum / (bin.pixels * FULL);
      bin.frequency = bin.positive / bin.pixels;
      if (bin.pixels) error += (Math.abs(bin.frequency - bin.confidence) * bin.pixels) / total;
    }
    return { bins, error: total ? error : NaN };
  }
}

/** [background, class] pixels per level; labels: (H*W) 0, 1 and others, which do not count. */
function labelCounts(plane, labels) {
  const counts = [new Uint32Array(LEVELS), new Uint32Array(LEVELS)];
  for (let i = 0; i < plane.length; i++) if (labels[i] < 2) counts[labels[i]][plane[i]]++;
  return counts;
}
