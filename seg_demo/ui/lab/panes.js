// Panes: the probabilities, the mask and the overlay, painted at the screen's resolution: for each device pixel the
// values under it are looked up in tables. So the work depends on the screen, not on the picture, and nothing is left
// for the browser to scale. The canvases are only ever written to, because privacy browsers add noise to what is read.

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const SMOOTH_BELOW = 0.75; // device pixels per image pixel; from here down a device pixel is the mean of 2 x 2 samples
const UNCERTAIN = 0.2; // distance to the threshold from which on a pixel is certain
const AMBER = [255, 176, 0];
const NIGHT = [22, 26, 34];
// As in the figure for a paper, by Okabe & Ito (2008): told apart by the colour-blind as well.
const VERDICTS = [null, [255, 255, 255], [213, 94, 0], [86, 180, 233]]; // nothing, right, wrong, missed
const [NOTHING, RIGHT, WRONG, MISSED] = VERDICTS.keys();
const NOT_LABELLED = 2; // in `labels`: 0 background, 1 class

function pack([r, g, b], a = 255) {
  return (LITTLE_ENDIAN ? (a << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | a) >>> 0;
}

class Panes {
  constructor(root) {
    this.root = root;
    this.canvas = {};
    this.pixels = {};
    for (const name of ["probability", "mask", "overlay"]) this.canvas[name] = root.querySelector(`.lab-${name}`);
    this.inside = new Uint8Array(LEVELS); // 1 from the level on
    this.heat = new Uint32Array(LEVELS);
    this.verdicts = new Uint8Array(3 * LEVELS); // by label * 256 + value, where there are labels
    this.mixed = mixedColors();
  }

  /** entry: {picture, plane, labels, image}. Call `setPlane` and `setView` after it. */
  setPicture(entry) {
    this.entry = entry;
    const viridis = Uint8Array.from(atob(entry.picture.meta.colormap), (letter) => letter.charCodeAt(0));
    this.viridis = Array.from({ length: LEVELS }, (_, level) => [...viridis.subarray(3 * level, 3 * level + 3)]);
    for (const world of this.root.querySelectorAll(".lab-world")) world.replaceChildren(entry.image.cloneNode());
  }

  /** The plane whose thresholds are the masks. */
  setPlane(plane) {
    for (const old of [this.plane, this.key]) this.sampled?.delete(old); // a drag of a filter brings hundreds
    this.plane = plane;
    const { labels } = this.entry;
    this.key = null; // label * 256 + value
    if (!labels) return;
    this.key = new Uint16Array(plane.length);
    for (let i = 0; i < plane.length; i++) this.key[i] = plane[i] | (Math.min(labels[i], NOT_LABELLED) << 8);
  }

  /** Where the picture lies on the stages: from here on a move of the threshold reads `sampled` planes in one go. */
  setView(port) {
    const ratio = window.devicePixelRatio || 1;
    this.width = Math.round(port.width * ratio);
    this.height = Math.round(port.height * ratio);
    this.each = port.scale * ratio < SMOOTH_BELOW ? 2 : 1;
    const { width, height } = this.entry.picture;
    this.columns = this.under(this.width, ratio, port.x, port.scale, width);
    this.rows = this.under(this.height, ratio, port.y, port.scale, height);
    this.sampled = new Map();
    for (const [name, canvas] of Object.entries(this.canvas)) {
      this.pixels[name]?.data.fill(0); // beside the picture
      if (canvas.width === this.width && canvas.height === this.height && this.pixels[name]) continue;
      Object.assign(canvas, { width: this.width, height: this.height });
      this.pixels[name] = this.width && this.height ? new ImageData(this.width, this.height) : null;
    }
  }

  /** {first, last, at}: the device pixels along one axis that show the picture, and the samples under each. */
  under(length, ratio, offset, scale, limit) {
    const { each } = this;
    const at = new Int32Array(length * each);
    let [first, last] = [length, 0];
    for (let i = 0; i < length; i++) {
      const middle = ((i + 0.5) / ratio - offset) / scale;
      if (middle < 0 || middle >= limit) continue;
      if (i < first) first = i;
      last = i + 1;
      for (let sample = 0; sample < each; sample++) {
        const place = ((i + (sample + 0.5) / each) / ratio - offset) / scale;
        at[i * each + sample] = Math.min(limit - 1, Math.max(0, Math.floor(place)));
      }
    }
    if (first >= last && length) {
      // Thinner than a device pixel, and between the middles of two: it is shown in one all the same.
      first = Math.min(length - 1, Math.max(0, Math.floor((offset + (limit * scale) / 2) * ratio)));
      last = first + 1;
    }
    return { first, last, at };
  }

  /** The values under each device pixel that shows the picture, one or four after another, row by row. */
  samplesOf(plane) {
    if (this.sampled.has(plane)) return this.sampled.get(plane);
    const { columns, rows, each } = this;
    const stride = this.entry.picture.width;
    const found = new plane.constructor(Math.max(0, columns.last - columns.first) * Math.max(0, rows.last - rows.first) * each * each);
    let next = 0;
    for (let y = rows.first; y < rows.last; y++) {
      const upper = rows.at[y * each] * stride;
      if (each === 1) {
        for (let x = columns.first; x < columns.last; x++) found[next++] = plane[upper + columns.at[x]];
        continue;
      }
      const lower = rows.at[2 * y + 1] * stride;
      for (let x = columns.first; x < columns.last; x++) {
        const [left, right] = [columns.at[2 * x], columns.at[2 * x + 1]];
        found[next++] = plane[upper + left];
        found[next++] = plane[upper + right];
        found[next++] = plane[lower + left];
        found[next++] = plane[lower + right];
      }
    }
    this.sampled.set(plane, found);
    return found;
  }

  /** The probabilities as they are, or how near they are to the threshold. */
  paintHeat(level, uncertainty) {
    for (let value = 0; value < LEVELS; value++) this.heat[value] = pack(this.heatColor(value, level, uncertainty));
    this.paint("probability", this.entry.plane, this.heat, fillMeans);
  }

  heatColor(value, level, uncertainty) {
    if (!uncertainty) return this.viridis[value];
    const near = Math.max(0, 1 - Math.abs(value + 0.5 - level) / (UNCERTAIN * FULL));
    return NIGHT.map((dark, part) => Math.round(dark + (AMBER[part] - dark) * near * near));
  }

  /** The colours of the map from least to most, for its legend. */
  legend(uncertainty) {
    return uncertainty ? `linear-gradient(to right, ${css(NIGHT)}, ${css(AMBER)})` : gradient(this.viridis);
  }

  paintMask(level) {
    const grey = [0, 64, 128, 191, 255].map((part) => pack([part, part, part]));
    this.paintInside("mask", level, grey);
  }

  /** errors: colours by true and false instead of the class's colour, where there are labels. */
  paintOverlay(level, errors) {
    const { color } = this.entry.picture.meta;
    if (!errors || !this.key) {
      return this.paintInside("overlay", level, [0, 64, 128, 191, 255].map((alpha) => pack(color, alpha)));
    }
    const { verdicts, mixed } = this;
    for (let value = 0; value < LEVELS; value++) {
      verdicts[value] = value >= level ? WRONG : NOTHING;
      verdicts[LEVELS + value] = value >= level ? RIGHT : MISSED;
      verdicts[NOT_LABELLED * LEVELS + value] = NOTHING;
    }
    this.paint("overlay", this.key, { verdicts, mixed }, fillMixed);
  }

  /** shades: of a device pixel with 0 to 4 of its samples in the mask. */
  paintInside(name, level, shades) {
    const { inside } = this;
    for (let value = 0; value < LEVELS; value++) inside[value] = value >= level ? (this.each === 2 ? 1 : 4) : 0;
    this.paint(name, this.plane, { inside, shades: Uint32Array.from(shades) }, fillInside);
  }

  /** fill(words, from, to, samples, next, table, each): paints device pixels of one row; returns the next sample. */
  paint(name, plane, table, fill) {
    const pixels = this.pixels[name];
    if (!pixels) return;
    const words = new Uint32Array(pixels.data.buffer);
    const samples = this.samplesOf(plane);
    const { columns, rows, each, width } = this;
    let next = 0;
    for (let y = rows.first; y < rows.last; y++) {
      next = fill(words, y * width + columns.first, y * width + columns.last, samples, next, table, each);
    }
    this.canvas[name].getContext("2d").putImageData(pixels, 0, 0);
  }

  /** {value, inside, label} of an image pixel, or null outside; label is null where nothing is known. */
  at(x, y, level) {
    const { width, height } = this.entry.picture;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) return null;
    const index = Math.floor(y) * width + Math.floor(x);
    const label = this.entry.labels?.[index];
    return { value: this.entry.plane[index], inside: this.plane[index] >= level, label: label < 2 ? label : null };
  }
}

// One loop each, without calls in it: a move of the slider has a few milliseconds for all of them.

function fillInside(words, from, to, samples, next, { inside, shades }, each) {
  if (each === 1) for (let i = from; i < to; i++) words[i] = shades[inside[samples[next++]]];
  else {
    for (let i = from; i < to; i++, next += 4) {
      words[i] = shades[inside[samples[next]] + inside[samples[next + 1]] + inside[samples[next + 2]] + inside[samples[next + 3]]];
    }
  }
  return next;
}

function fillMeans(words, from, to, samples, next, colors, each) {
  if (each === 1) for (let i = from; i < to; i++) words[i] = colors[samples[next++]];
  else {
    for (let i = from; i < to; i++, next += 4) {
      words[i] = colors[(samples[next] + samples[next + 1] + samples[next + 2] + samples[next + 3]) >> 2];
    }
  }
  return next;
}

function fillMixed(words, from, to, samples, next, { verdicts, mixed }, each) {
  if (each === 1) for (let i = from; i < to; i++) words[i] = mixed[85 * verdicts[samples[next++]]];
  else {
    for (let i = from; i < to; i++, next += 4) {
      const upper = verdicts[samples[next]] | (verdicts[samples[next + 1]] << 2);
      words[i] = mixed[upper | (verdicts[samples[next + 2]] << 4) | (verdicts[samples[next + 3]] << 6)];
    }
  }
  return next;
}

/** The mean colour of four verdicts of two bits each, 256 in all; nothing is transparent. */
function mixedColors() {
  return Uint32Array.from({ length: 256 }, (_, code) => {
    const colors = [0, 2, 4, 6].map((shift) => VERDICTS[(code >> shift) & 3]).filter(Boolean);
    if (!colors.length) return 0;
    const mean = [0, 1, 2].map((part) => Math.round(colors.reduce((sum, color) => sum + color[part], 0) / colors.length));
    return pack(mean, Math.round((255 * colors.length) / 4));
  });
}
