// Painter: turns the key plane into pixels through tables of 256 entries, so a change of classes, of the
// highlight or of the level rebuilds a table and runs one loop. The canvas is only ever written to: the integers
// are kept here, because privacy browsers add noise to what is read back.

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const SPOTLIGHT = 110; // alpha of the highlighted class: the photo shows through, whatever the class's colour
const DIMMED = [12, 14, 20, 215]; // all other classes
const OUTLINE_WIDTH = 1.5; // CSS pixels

function pack(r, g, b, a) {
  return (LITTLE_ENDIAN ? (a << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | a) >>> 0;
}

class Painter {
  constructor(overlay, outline) {
    this.overlay = overlay;
    this.outline = outline;
    this.classOf = new Uint8Array(256); // value of key -> class id
    this.fill = new Uint32Array(256); // value of key -> pixel of the overlay
    this.line = new Uint32Array(256); // value of key -> pixel of the outline, 0 = class not shown
    this.area = new Uint32Array(256); // value of key -> number of pixels of its class
    this.picture = null;
  }

  /** loaded: what fetchPlanes returned. Call `tables` and `paint` after it. */
  setPicture(picture, loaded) {
    this.picture = picture;
    this.loaded = loaded;
    this.overlay.width = picture.width;
    this.overlay.height = picture.height;
    this.context = this.overlay.getContext("2d");
    this.pixels = this.context.createImageData(picture.width, picture.height);
    this.words = new Uint32Array(this.pixels.data.buffer);
    this.colorOf = new Map(picture.meta.classes.map((entry) => [entry.id, entry.color]));
    this.setLevel(picture.meta.level);
  }

  /** Binary pictures: a pixel is class 1 iff its value is >= level. */
  setLevel(level) {
    this.level = level;
    for (let value = 0; value < 256; value++) {
      this.classOf[value] = this.binary ? Number(value >= level) : value;
    }
  }

  get binary() {
    return this.picture.meta.task === "binary";
  }

  /** Rebuilds the tables. hidden: Set of class ids; highlight: a class id to show alone, or null. */
  tables(hidden, highlight) {
    const counts = this.counts();
    for (let value = 0; value < 256; value++) {
      const id = this.classOf[value];
      this.area[value] = counts.get(id) || 0;
      const color = this.colorOf.get(id);
      const shown = highlight === null ? color && !hidden.has(id) : id === highlight;
      const [r, g, b] = color || [255, 255, 255]; // only the highlight of unlabelled pixels has no colour
      if (shown) this.fill[value] = pack(r, g, b, highlight === null ? 255 : SPOTLIGHT);
      else this.fill[value] = highlight === null ? 0 : pack(...DIMMED);
      this.line[value] = shown ? pack(...lineColor(r, g, b), 255) : 0;
    }
  }

  paint() {
    const { words, fill } = this;
    const key = this.loaded.key;
    for (let i = 0; i < key.length; i++) words[i] = fill[key[i]];
    this.context.putImageData(this.pixels, 0, 0);
  }

  /**
   * Contours at the screen's resolution: each screen pixel takes the class under it and is painted where the one
   * OUTLINE_WIDTH to its right or below differs. So lines keep their width at any zoom, and the work depends on
   * the screen, not on the picture. The smaller class gives the colour: a tree is outlined, not the sky around it.
   */
  paintOutline(view, wanted) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(view.width * ratio);
    const height = Math.round(view.height * ratio);
    this.outline.hidden = !wanted;
    if (!wanted || !width || !height) return;
    if (this.outline.width !== width || this.outline.height !== height || !this.outlinePixels) {
      this.outline.width = width;
      this.outline.height = height;
      this.outlineContext = this.outline.getContext("2d");
      this.outlinePixels = this.outlineContext.createImageData(width, height);
    }
    const out = new Uint32Array(this.outlinePixels.data.buffer);
    const step = Math.max(1, Math.round(OUTLINE_WIDTH * ratio));
    const columns = screenToImage(width + step, ratio, view.x, view.scale, this.picture.width);
    const rows = screenToImage(height + step, ratio, view.y, view.scale, this.picture.height);
    const { key } = this.loaded;
    const { classOf, line, area } = this;
    const stride = this.picture.width;
    out.fill(0);
    for (let y = 0; y < height; y++) {
      if (rows[y] < 0) continue;
      const here = rows[y] * stride;
      const below = (rows[y + step] < 0 ? rows[y] : rows[y + step]) * stride;
      for (let x = 0; x < width; x++) {
        const column = columns[x];
        if (column < 0) continue;
        const a = key[here + column];
        const b = key[here + (columns[x + step] < 0 ? column : columns[x + step])];
        const c = key[below + column];
        if (classOf[a] === classOf[b] && classOf[a] === classOf[c]) continue;
        let best = a;
        if (line[b] && (!line[best] || area[b] < area[best])) best = b;
        if (line[c] && (!line[best] || area[c] < area[best])) best = c;
        out[y * width + x] = line[best];
      }
    }
    this.outlineContext.putImageData(this.outlinePixels, 0, 0);
  }

  /** {id, value}: the class and its probability (0-255) at an image pixel, or null outside. */
  at(x, y) {
    const { width, height } = this.picture;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) return null;
    const index = Math.floor(y) * width + Math.floor(x);
    const value = this.loaded.key[index];
    const id = this.classOf[value];
    if (this.binary) return { id, value: id === 1 ? value : 255 - value };
    return { id, value: this.loaded.confidence[index] };
  }

  /** Map of class id -> number of pixels, from the histogram: 256 steps, whatever the picture's size. */
  counts() {
    const counts = new Map();
    this.loaded.histogram.forEach((pixels, value) => {
      if (pixels) counts.set(this.classOf[value], (counts.get(this.classOf[value]) || 0) + pixels);
    });
    return counts;
  }
}

/** The class's colour, dark ones lightened: navy on a night street would not be seen. */
function lineColor(...color) {
  const luminance = 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2];
  const mix = Math.max(0, 0.6 - luminance / 255);
  return color.map((part) => Math.round(part + (255 - part) * mix));
}

/** For each device pixel along one axis the image pixel under its centre, -1 outside. */
function screenToImage(length, ratio, offset, scale, limit) {
  const found = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.floor(((i + 0.5) / ratio - offset) / scale);
    found[i] = at >= 0 && at < limit ? at : -1;
  }
  return found;
}
