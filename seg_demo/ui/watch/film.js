// Film: the predictions of the validation pictures through time, one step of the slider per validation.

const PAUSE = 400; // ms between two pictures that play
const AT_ONCE = 2; // pictures fetched at a time: browsers have six connections to a server, which others need

class Film {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    this.picks = find(".watch-picks");
    this.slider = find("input");
    this.when = find(".watch-when");
    this.stage = find(".watch-stage");
    this.play = find("[data-act=play]");
    this.newest = find("[data-act=newest]");
    this.loader = new Loader(() => this.show());
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.slider.addEventListener("keydown", (event) => event.key === " " && this.toggle(event));
    this.play.addEventListener("click", (event) => this.toggle(event));
    this.newest.addEventListener("click", () => this.go(this.steps.length - 1));
    this.restart();
  }

  /** Another run: nothing is chosen yet. */
  restart() {
    this.pause();
    Object.assign(this, { steps: [], step: null, following: true, picked: null, names: [], frames: new Map(), key: "" });
    this.loader.forget();
    this.stage.replaceChildren();
    this.picks.replaceChildren();
  }

  /** samples: [{step, name, file: {url}}]; epochs: per step, or null. */
  setSamples(samples, { unmeasured, best }, epochs) {
    hide(this.root, unmeasured); // the curves say why
    hide(this.root.querySelector(".watch-none"), samples.length > 0);
    hide(this.root.querySelector(".watch-theatre"), !samples.length);
    Object.assign(this, { best, epochs });
    this.urls = new Map(samples.map(({ step, name, file }) => [step + "\n" + name, file.url]));
    this.steps = [...new Set(samples.map(({ step }) => step))].sort((a, b) => a - b);
    const names = [...new Set(samples.map(({ name }) => name))];
    if (JSON.stringify(names) !== JSON.stringify(this.names)) this.setNames(names);
    if (this.following || this.step === null) this.step = this.steps.at(-1) ?? null;
    this.loader.keep(new Set(this.urls.values()));
    this.draw();
  }

  setNames(names) {
    this.names = names;
    if (!names.includes(this.picked)) this.picked = null;
    const pick = (name, label) => {
      const button = make("button", "watch-chip watch-pick", label);
      button.type = "button";
      button.title = label;
      button.addEventListener("click", () => {
        this.picked = name;
        this.draw();
      });
      return [name, button];
    };
    this.buttons = [pick(null, text("all_pictures")), ...names.map((name) => pick(name, name))];
    this.picks.replaceChildren(...this.buttons.map(([, button]) => button));
    hide(this.picks, names.length < 2);
    this.frames = new Map(names.map((name) => [name, this.frame(name)]));
    this.stage.replaceChildren(...[...this.frames.values()].map(({ figure: made }) => made));
  }

  frame(name) {
    const made = make("figure", "watch-frame");
    const screen = make("div", "watch-screen");
    made.append(screen, make("figcaption", "", name));
    return { figure: made, screen, url: null };
  }

  /** Where the slider stands among the steps; the nearest one where the step itself is not sent any more. */
  get index() {
    const near = nearest(this.steps.map((step) => [step]), this.step ?? 0);
    return near ? this.steps.indexOf(near[0]) : 0;
  }

  go(index) {
    this.pause();
    this.move(index);
  }

  move(index) {
    this.step = this.steps[index];
    this.following = index === this.steps.length - 1;
    this.draw();
  }

  draw() {
    const { index, steps } = this;
    this.slider.max = Math.max(0, steps.length - 1);
    this.slider.value = index;
    this.slider.style.setProperty("--at", `${steps.length > 1 ? (100 * index) / (steps.length - 1) : 100}%`);
    this.slider.disabled = this.play.disabled = steps.length < 2;
    const at = steps[index];
    const parts = at === undefined ? [] : [text("at_step", { step: whole(at) })];
    if (this.epochs && parts.length) parts.push(text("at_epoch", { epoch: amount(at * this.epochs) }));
    if (at === this.best && parts.length) parts.push(text("is_best"));
    setWords(this.when, parts.join(" · "));
    this.slider.setAttribute("aria-valuetext", parts.join(", "));
    this.newest.setAttribute("aria-pressed", String(this.following));
    for (const [name, button] of this.buttons || []) button.setAttribute("aria-pressed", String(name === this.picked));
    for (const [name, { figure: made }] of this.frames) hide(made, this.picked !== null && name !== this.picked);
    this.stage.classList.toggle("watch-one", this.picked !== null || this.names.length === 1);
    this.loader.want(this.order(index));
    this.show();
  }

  /** Addresses of the pictures in sight: those of this step first, then the nearer the earlier. */
  order(index) {
    const near = this.steps.map((step, place) => [Math.abs(place - index), step]).sort((a, b) => a[0] - b[0]);
    const shown = this.names.filter((name) => this.picked === null || name === this.picked);
    return near.flatMap(([, step]) => shown.map((name) => this.urls.get(step + "\n" + name)).filter(Boolean));
  }

  /** Pictures that are there; until then the one before stays. */
  show() {
    const step = this.steps[this.index];
    for (const [name, frame] of this.frames) {
      const url = this.urls.get(step + "\n" + name);
      const image = url && this.loader.ready(url);
      frame.figure.classList.toggle("watch-missing", !url);
      if (!image || frame.url === url) continue;
      frame.url = url;
      image.alt = name;
      frame.screen.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
      frame.screen.classList.toggle("watch-tiny", image.naturalWidth < 400);
      frame.screen.replaceChildren(image);
    }
  }

  // Playing ----------------------------------------------------------------------------------------------------

  toggle(event) {
    event.preventDefault();
    if (this.playing) return this.pause();
    if (this.index === this.steps.length - 1) this.move(0);
    this.playing = setTimeout(() => this.next(), PAUSE);
    this.say();
  }

  next() {
    const { index, steps } = this;
    if (index < steps.length - 1) this.move(index + 1);
    if (this.index === steps.length - 1) return this.pause();
    this.playing = setTimeout(() => this.next(), PAUSE);
  }

  pause() {
    clearTimeout(this.playing);
    this.playing = null;
    this.say();
  }

  say() {
    setWords(this.play, text(this.playing ? "pause" : "play"));
  }
}

/** Fetches pictures, the most wanted first, and keeps them as <img>, so that none is fetched twice. */
class Loader {
  constructor(loaded) {
    this.loaded = loaded;
    this.forget();
  }

  forget() {
    this.images = new Map(); // url: {image, done}
    this.wanted = [];
    this.busy = 0;
  }

  /** Lets go of all but `urls`. */
  keep(urls) {
    for (const url of this.images.keys()) if (!urls.has(url)) this.images.delete(url);
  }

  want(urls) {
    this.wanted = urls;
    this.more();
  }

  ready(url) {
    const found = this.images.get(url);
    return found?.done ? found.image : null;
  }

  more() {
    for (const url of this.wanted) {
      if (this.busy >= AT_ONCE) return;
      if (!this.images.has(url)) this.fetch(url, this.images);
    }
  }

  async fetch(url, images) {
    const entry = { image: new Image(), done: false };
    images.set(url, entry);
    this.busy += 1;
    entry.image.draggable = false;
    entry.image.src = url;
    try {
      await entry.image.decode();
      entry.done = true;
    } catch {
      // Stays in the map: a picture that cannot be had is not asked for again and again.
    }
    if (images !== this.images) return; // of another run
    this.busy -= 1;
    if (entry.done) this.loaded();
    this.more();
  }
}
