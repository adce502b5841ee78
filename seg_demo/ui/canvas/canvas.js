// Canvas: holds the pictures and the user's settings, and draws at most once a frame.
// `element`, `props` and `watch` come from Gradio.

const CACHE_BYTES = 256 * 2 ** 20;

class SegCanvas {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    this.stage = find(".sc-stage");
    this.world = find(".sc-world");
    this.tip = new Tip(find(".sc-tip"));
    this.range = find(".sc-opacity input");
    this.pictures = [];
    this.index = 0;
    this.shown = null; // the cache entry on the stage: {id, picture, loaded, image}
    this.cache = new Map(); // picture id -> entry, the least recently shown first
    this.underway = new Map(); // picture id -> promise of an entry
    this.settings = new Settings(root.closest(".block")?.id);
    this.highlighted = null;
    this.drawn = 0;
    this.due = new Set();
    fillTexts(root);
    this.painter = new Painter(find(".sc-overlay"), find(".sc-outline"));
    this.view = new Viewport([this.stage], [this.world], {
      moved: () => this.draw("view"),
      point: (x, y) => {
        this.tip.at = x === null ? null : [x, y];
        this.showTip();
      },
    });
    this.legend = new Legend(root, {
      toggle: (id) => this.toggle(id),
      only: (id) => this.only(id),
      highlight: (id) => this.highlight(id),
    });
    this.strip = new Filmstrip(find(".sc-strip"), (index) => this.show(index));
    new Controls(this);
    this.travel = travelling(find(".sc-bar"));
    this.setOpacity(this.settings.opacity);
    this.setOutlined(this.settings.outlined);
  }

  // Pictures ---------------------------------------------------------------------------------------------------

  setPictures(pictures) {
    const before = this.pictures[this.index];
    this.pictures = pictures;
    const ids = pictures.map(pictureId);
    const kept = before ? ids.indexOf(pictureId(before, this.index)) : -1;
    // The same photo again, from another model: stay on it, so the two results can be compared.
    const again = before && pictures[this.index]?.name === before.name ? this.index : 0;
    for (const id of this.cache.keys()) if (!ids.includes(id)) this.cache.delete(id);
    this.root.style.setProperty("--ratio", stageRatio(pictures));
    if (!pictures.length) return this.clear();
    if (!this.shown) this.root.dataset.state = "loading";
    this.show(kept < 0 ? again : kept);
  }

  clear() {
    this.index = 0;
    this.shown = null;
    this.fail(null);
    this.strip.update([], 0);
    this.root.dataset.state = "empty";
  }

  /** Loads picture `index` and swaps it in when all of it is here; until then the old one stays. */
  async show(index) {
    const picture = this.pictures[index];
    if (!picture) return;
    this.index = index;
    this.fail(null);
    this.strip.update(this.pictures, index);
    this.root.classList.add("sc-loading");
    this.showTravel();
    const id = pictureId(picture, index);
    let entry;
    try {
      entry = this.cache.get(id) || (await this.load(picture, id));
    } catch (error) {
      if (this.pictures[this.index] === picture) this.fail(picture, error);
      return;
    }
    if (!this.pictures.some((other, at) => pictureId(other, at) === id)) return;
    this.keep(entry);
    if (this.index !== index) return; // the user has moved on
    this.root.classList.remove("sc-loading");
    this.showTravel();
    this.swap(entry, this.pictures[index]);
  }

  /** Pictures that arrive one by one ask for the same file again while it is still on its way. */
  load(picture, id) {
    if (!this.underway.has(id)) {
      this.underway.set(id, load(picture, id).finally(() => this.underway.delete(id)));
    }
    return this.underway.get(id);
  }

  swap(entry, picture) {
    entry.picture = picture;
    if (this.shown === entry) return this.caption();
    this.shown = entry;
    this.highlighted = null;
    this.painter.setPicture(picture, entry.loaded);
    if (entry.level !== undefined) this.painter.setLevel(entry.level);
    for (const image of this.world.querySelectorAll("img")) image.remove();
    this.world.prepend(entry.image);
    this.root.dataset.state = "ready";
    this.stage.setAttribute("aria-label", text("picture") + ": " + picture.name);
    this.view.setImage(picture.width, picture.height);
    this.tip.at = null;
    this.draw("pixels", "view", "legend");
  }

  /** The cache holds what was shown last, within CACHE_BYTES, so switching back needs no request. */
  keep(entry) {
    this.cache.delete(entry.id);
    this.cache.set(entry.id, entry);
    let bytes = 0;
    for (const [id, other] of [...this.cache].reverse()) {
      bytes += other.loaded.key.buffer.byteLength;
      if (bytes > CACHE_BYTES && other !== entry) this.cache.delete(id);
    }
  }

  fail(picture, error) {
    const message = this.root.querySelector(".sc-error");
    message.hidden = !picture;
    this.root.classList.remove("sc-loading");
    this.showTravel();
    if (!picture) return;
    message.textContent =
      typeof DecompressionStream === "undefined"
        ? text("error_browser")
        : text("error_fetch", { name: picture.name, why: error.message });
  }

  caption() {
    const { width, height, name, meta } = this.shown.picture;
    const found = this.legend.order.length;
    const notes = Object.entries(meta.notes).map(
      ([noun, value]) => `${noun} ${typeof value === "number" ? MEASURE.format(value) : value}`,
    );
    const parts = [
      `${width} × ${height}`,
      found === 1 ? text("count_class") : text("count_classes", { n: NUMBER.format(found) }),
      ...notes,
    ];
    this.root.querySelector(".sc-name").textContent = name;
    this.root.querySelector(".sc-name").title = name;
    this.root.querySelector(".sc-caption").textContent = parts.join(" · ");
  }

  // Settings ---------------------------------------------------------------------------------------------------

  /** Class ids that are off: by the user's choice, else black classes (background by the palettes' habit). */
  hidden() {
    const { classes, task } = this.shown.picture.meta;
    const { choices } = this.settings;
    const off = ({ id, name, color }) => {
      if (choices.has(name)) return !choices.get(name);
      return (task === "binary" && id === 0) || color.every((part) => part === 0);
    };
    return new Set(classes.filter(off).map((entry) => entry.id));
  }

  choose(shows) {
    if (!this.shown) return;
    const hidden = this.hidden();
    for (const entry of this.shown.picture.meta.classes) {
      this.settings.choices.set(entry.name, shows(entry.id, !hidden.has(entry.id)));
    }
    this.settings.save();
    this.highlighted = null; // the pointer still rests on the row, but what it did should show
    this.draw("pixels", "legend");
  }

  toggle(id) {
    this.choose((other, shown) => (other === id ? !shown : shown));
  }

  /** Isolates a class; a second time brings back what a picture begins with. */
  only(id) {
    const hidden = this.hidden();
    const alone = this.legend.order.every((other) => hidden.has(other) === (other !== id));
    if (!alone) return this.choose((other) => other === id);
    for (const entry of this.shown.picture.meta.classes) this.settings.choices.delete(entry.name);
    this.settings.save();
    this.draw("pixels", "legend");
  }

  highlight(id) {
    if (!this.shown || this.highlighted === id) return;
    this.highlighted = id;
    this.draw("pixels");
  }

  setOpacity(percent) {
    this.settings.opacity = percent;
    this.settings.save();
    this.range.value = percent;
    this.range.style.setProperty("--at", percent + "%");
    this.root.querySelector(".sc-opacity output").textContent = percent + " %";
    this.root.style.setProperty("--opacity", percent / 100); // the compositor's work: no pixel is painted again
    this.draw();
  }

  setOutlined(outlined) {
    this.settings.outlined = outlined;
    this.settings.save();
    this.root.querySelector("[data-act=outline]").setAttribute("aria-pressed", String(outlined));
    this.draw("outline");
  }

  setPlain(plain) {
    this.root.classList.toggle("sc-plain", plain);
    this.root.querySelector("[data-act=compare]").setAttribute("aria-pressed", String(plain));
    this.draw();
  }

  setLevel(level) {
    if (!this.shown || !this.painter.binary) return;
    this.shown.level = level;
    this.painter.setLevel(level);
    this.draw("pixels", "legend");
  }

  /** The server is at work on something newer; what is shown stays. */
  setWorking(working) {
    this.root.classList.toggle("sc-working", working);
    this.showTravel();
    this.root.setAttribute("aria-busy", String(working));
    this.root.querySelector(".sc-status").textContent = working ? text("working") : "";
    this.root.querySelector(".sc-empty span").textContent = text(working ? "working" : "empty_hint");
  }

  showTravel() {
    const { classList } = this.root;
    if (classList.contains("sc-working") || classList.contains("sc-loading")) this.travel.play();
    else this.travel.pause();
  }

  // Drawing ----------------------------------------------------------------------------------------------------

  draw(...parts) {
    parts.forEach((part) => this.due.add(part));
    if (this.scheduled || !this.shown) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.frame());
  }

  frame() {
    this.scheduled = false;
    if (!this.shown) return;
    const due = this.due;
    this.due = new Set();
    const started = performance.now();
    const hidden = this.hidden();
    if (due.has("pixels")) {
      this.painter.tables(hidden, this.highlighted);
      this.painter.paint();
      this.root.classList.toggle("sc-highlight", this.highlighted !== null);
    }
    if (due.has("view")) {
      this.view.apply();
      const percent = Math.round(this.view.scale * 100);
      this.root.querySelector(".sc-scale").textContent = percent + " %";
    }
    if (due.has("pixels") || due.has("outline") || (due.has("view") && this.settings.outlined)) {
      this.painter.paintOutline(this.view, this.settings.outlined);
    }
    const drawMs = performance.now() - started;
    if (due.has("legend")) {
      this.legend.update(this.shown.picture, this.painter.counts(), hidden);
      this.caption();
    }
    this.showTip();
    this.report(drawMs);
  }

  showTip() {
    const found = this.shown && this.tip.at && this.painter.at(...this.view.toImage(...this.tip.at));
    this.tip.show(found, this.shown?.picture.meta.classes, this.view.width);
  }

  /** For tests and measurements. */
  report(drawMs) {
    this.drawn += 1;
    const timing = { ...this.shown.loaded.timing, draw_ms: Math.round(drawMs * 100) / 100 };
    Object.assign(this.root.dataset, {
      drawn: this.drawn,
      picture: this.pictures.indexOf(this.shown.picture),
      timing: JSON.stringify(timing),
    });
  }
}

/**
 * loaded: {key, confidence, histogram, timing}.
 * key: (H*W) Uint8Array the painter looks colours up with: class ids, or for "binary" the probability of class 1
 * confidence: (H*W) Uint8Array, the probability of the pixel's class, or null for "binary" (it follows from key)
 * histogram: (256) number of pixels per value of key
 */
async function load(picture, id) {
  const [{ planes, timing }, image] = await Promise.all([fetchPlanes(picture), fetchImage(picture)]);
  const [key, confidence = null] = planes;
  return { id, picture, loaded: { key, confidence, histogram: histogram(key), timing }, image };
}

/** Width / height of the stage. Several pictures share one, else the strip would jump under the pointer. */
function stageRatio(pictures) {
  const ratios = pictures.map((picture) => picture.width / picture.height);
  const tallest = Math.min(...ratios, 16);
  return pictures.length > 1 ? Math.max(1, tallest) : tallest;
}

function start(root) {
  const canvas = new SegCanvas(root);
  // The documented handle for tests and for other scripts of the page.
  root.segCanvas = {
    /** {class id: pixels} of the picture on the stage. */
    counts: () => Object.fromEntries(canvas.painter.counts()),
    /** {id, name, value}: class of an image pixel and its probability, 0-255. */
    labelAt: (x, y) => {
      const found = canvas.painter.at(x, y);
      const entry = found && canvas.shown.picture.meta.classes.find((other) => other.id === found.id);
      return found && { ...found, name: entry ? entry.name : null };
    },
    /** Binary pictures: makes a pixel class 1 iff its probability is >= level (0-255). */
    setLevel: (level) => canvas.setLevel(level),
    state: () => ({
      index: canvas.index,
      names: canvas.pictures.map((picture) => picture.name),
      opacity: canvas.settings.opacity / 100,
      outlined: canvas.settings.outlined,
      hidden: canvas.shown ? [...canvas.hidden()] : [],
      level: canvas.shown ? canvas.painter.level : null,
      scale: canvas.view.scale,
    }),
  };
  const update = () => canvas.setPictures(JSON.parse(JSON.stringify((props.value || {}).pictures || [])));
  watch("value", update);
  update();
  // Gradio marks the box around a component that waits for the server.
  const box = root.closest(".html-container");
  const working = () => canvas.setWorking(box.classList.contains("pending"));
  if (box) new MutationObserver(working).observe(box, { attributes: true, attributeFilter: ["class"] });
}

start(element.querySelector(".seg-canvas"));
