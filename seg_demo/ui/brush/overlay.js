// Overlay: the labels over the photo, painted at the screen's resolution. So the work depends on the screen and on what
// changed, not on the picture. Each screen pixel takes the label under its centre; where one covers several, the first of
// some samples that is labelled, so that a thin stroke is seen in a large picture.

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const MOST_SAMPLES = 3; // along each axis of a screen pixel
const MOST_LOOKS = 8e6; // at labels in one frame

class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.colors = new Uint32Array(256); // class id -> pixel; 0 where nothing is shown
  }

  setPlane(plane, classes) {
    this.plane = plane;
    this.colors.fill(0);
    classes.forEach(({ color }, id) => (this.colors[id] = opaque(...color)));
  }

  /** Takes over where the picture lies on the stage; `paintAll` is due after it. */
  setView(view) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(view.width * ratio);
    const height = Math.round(view.height * ratio);
    const { canvas, plane } = this;
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height || !this.pixels) {
      Object.assign(canvas, { width, height });
      this.pixels = this.context.createImageData(width, height);
      this.words = new Uint32Array(this.pixels.data.buffer);
    }
    const wanted = Math.ceil(1 / (view.scale * ratio) - 0.01);
    const most = Math.max(1, Math.floor(Math.sqrt(MOST_LOOKS / (width * height))));
    this.samples = Math.min(MOST_SAMPLES, most, Math.max(1, wanted));
    this.columns = under(width, ratio, view.x, view.scale, plane.width, this.samples);
    this.rows = under(height, ratio, view.y, view.scale, plane.height, this.samples);
    const place = (at, offset) => (at * view.scale + offset) * ratio;
    this.toScreen = (x, y) => [place(x, view.x), place(y, view.y)];
  }

  paintAll() {
    if (this.pixels) this.paint(0, 0, this.canvas.width, this.canvas.height);
  }

  /** A rectangle of image pixels, the last ones excluded. */
  paintImage(x0, y0, x1, y1) {
    if (!this.pixels) return;
    const [left, top] = this.toScreen(x0, y0);
    const [right, bottom] = this.toScreen(x1, y1);
    const { width, height } = this.canvas;
    const inside = (at, limit) => Math.max(0, Math.min(limit, at));
    this.paint(
      inside(Math.floor(left) - 1, width),
      inside(Math.floor(top) - 1, height),
      inside(Math.ceil(right) + 1, width),
      inside(Math.ceil(bottom) + 1, height),
    );
  }

  paint(x0, y0, x1, y1) {
    if (x0 >= x1 || y0 >= y1) return;
    if (this.samples === 1) this.paintPlain(x0, y0, x1, y1);
    else this.paintSampled(x0, y0, x1, y1);
    this.context.putImageData(this.pixels, 0, 0, x0, y0, x1 - x0, y1 - y0);
  }

  paintPlain(x0, y0, x1, y1) {
    const { words, columns, rows, colors } = this;
    const { data, width: stride } = this.plane;
    const { width } = this.canvas;
    for (let y = y0; y < y1; y++) {
      const line = y * width;
      const row = rows[y] * stride;
      for (let x = x0; x < x1; x++) {
        words[line + x] = row < 0 || columns[x] < 0 ? 0 : colors[data[row + columns[x]]];
      }
    }
  }

  paintSampled(x0, y0, x1, y1) {
    const { words, columns, rows, colors, samples } = this;
    const { data, width: stride } = this.plane;
    const { width } = this.canvas;
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        let word = 0;
        for (let i = y * samples; !word && i < (y + 1) * samples; i++) {
          if (rows[i] < 0) continue;
          const row = rows[i] * stride;
          for (let j = x * samples; !word && j < (x + 1) * samples; j++) {
            if (columns[j] >= 0) word = colors[data[row + columns[j]]];
          }
        }
        words[y * width + x] = word;
      }
    }
  }
}

function opaque(r, g, b) {
  return (LITTLE_ENDIAN ? (255 << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | 255) >>> 0;
}

/** Along one axis, `samples` image pixels under each device pixel, -1 outside. */
function under(length, ratio, offset, scale, limit, samples) {
  const found = new Int32Array(length * samples);
  for (let i = 0; i < found.length; i++) {
    const at = Math.floor(((i + 0.5) / samples / ratio - offset) / scale);
    found[i] = at >= 0 && at < limit ? at : -1;
  }
  return found;
}
