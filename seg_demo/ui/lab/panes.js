// Panes: the picture, the probabilities, the mask and the overlay, painted through tables of one entry per value.
// The canvases are only ever written to, because privacy browsers add noise to what is read back.

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const UNCERTAIN = 0.2; // distance to the threshold from which on a pixel is certain
const AMBER = [255, 176, 0];
const NIGHT = [22, 26, 34];
// Okabe & Ito (2008): told apart by the colour-blind as well.
const RIGHT = [0, 158, 115];
const WRONG = [213, 94, 0];
const MISSED = [86, 180, 233];
const NOT_LABELLED = 2; // in `labels`: 0 background, 1 class

function pack(r, g, b, a = 255) {
  return (LITTLE_ENDIAN ? (a << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | a) >>> 0;
}

class Panes {
  constructor(root) {
    this.root = root;
    this.canvas = {};
    for (const name of ["probability", "mask", "overlay"]) this.canvas[name] = root.querySelector(`.lab-${name}`);
    this.tables = { mask: new Uint32Array(LEVELS), heat: new Uint32Array(LEVELS) };
    this.colors = new Uint32Array(4 * LEVELS); // of the overlay, by label * 256 + value
  }

  /** entry: {picture, plane, labels}. Call `setPlane` after it. */
  setPicture(entry) {
    const { width, height, meta } = entry.picture;
    this.entry = entry;
    this.color = meta.color;
    const viridis = Uint8Array.from(atob(meta.colormap), (letter) => letter.charCodeAt(0));
    this.heat = Array.from({ length: LEVELS }, (_, level) => [...viridis.subarray(3 * level, 3 * level + 3)]);
    for (const canvas of Object.values(this.canvas)) Object.assign(canvas, { width, height });
    this.pixels = new ImageData(width, height); // one for all three, which are painted one after the other
    this.words = new Uint32Array(this.pixels.data.buffer);
    for (const world of this.root.querySelectorAll(".lab-world[data-photo]")) {
      world.querySelector("img")?.remove();
      world.prepend(entry.image.cloneNode());
    }
  }

  /** The plane whose thresholds are the masks. */
  setPlane(plane) {
    this.plane = plane;
    const { labels } = this.entry;
    this.key = plane; // what the overlay is looked up by
    if (!labels) return;
    this.key = new Uint16Array(plane.length);
    for (let i = 0; i < plane.length; i++) this.key[i] = plane[i] | (Math.min(labels[i], NOT_LABELLED) << 8);
  }

  /** The probabilities as they are, or how near they are to the threshold. */
  paintHeat(level, uncertainty) {
    const { heat } = this.tables;
    for (let value = 0; value < LEVELS; value++) heat[value] = pack(...this.heatColor(value, level, uncertainty));
    this.paint("probability", this.entry.plane, heat);
  }

  heatColor(value, level, uncertainty) {
    if (!uncertainty) return this.heat[value];
    const near = Math.max(0, 1 - Math.abs(value + 0.5 - level) / (UNCERTAIN * FULL));
    return NIGHT.map((dark, part) => Math.round(dark + (AMBER[part] - dark) * near * near));
  }

  paintMask(level) {
    const { mask } = this.tables;
    const [out, within] = [pack(0, 0, 0), pack(255, 255, 255)];
    for (let value = 0; value < LEVELS; value++) mask[value] = value >= level ? within : out;
    this.paint("mask", this.plane, mask);
  }

  /** errors: colours by true and false instead of the class's colour, where there are labels. */
  paintOverlay(level, errors) {
    const own = pack(...this.color);
    const [right, wrong, missed] = [pack(...RIGHT), pack(...WRONG), pack(...MISSED)];
    for (let value = 0; value < LEVELS; value++) {
      const inside = value >= level;
      this.colors[value] = inside ? (errors ? wrong : own) : 0;
      this.colors[LEVELS + value] = inside ? (errors ? right : own) : errors ? missed : 0;
      this.colors[NOT_LABELLED * LEVELS + value] = inside && !errors ? own : 0;
    }
    this.paint("overlay", this.key, this.colors);
  }

  paint(name, key, table) {
    const canvas = this.canvas[name];
    if (!canvas.clientWidth) return; // in a pane that is not shown
    const { words } = this;
    for (let i = 0; i < key.length; i++) words[i] = table[key[i]];
    canvas.getContext("2d").putImageData(this.pixels, 0, 0);
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
