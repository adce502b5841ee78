// Laboratory: holds the picture, its probabilities and the state, and draws at most once a frame.

const NEAR = 0.1; // distance to the threshold that the statistics call uncertain
const VIEW_KEY = "seg-lab:view";
const ADDRESS_PAUSE = 500; // ms; Firefox and Safari throw, Chromium does nothing, at a hundred changes in some seconds

class Lab {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    this.entry = null; // {id, picture, image, plane, labels, histogram, counts}
    this.dataSet = null; // {name, split, pictures, sweep}
    this.state = new State();
    this.view = { layout: "grid", uncertainty: false, errors: true, log: true, heat: 25, overlay: 60, ofData: false };
    this.due = new Set();
    this.crosses = [...root.querySelectorAll(".lab-cross")];
    this.drawn = 0;
    fillTexts(root);
    for (const node of root.querySelectorAll("[data-hint]")) node.title = text(node.dataset.hint);
    this.panes = new Panes(root);
    const stages = [...root.querySelectorAll(".lab-stage")];
    this.port = new Viewport(stages, stages.map((stage) => stage.querySelector(".lab-world")), {
      moved: () => this.draw("view"),
      point: (x, y) => {
        this.pointed = x === null ? null : [x, y];
        this.draw("point");
      },
    });
    this.chart = new Chart(find(".lab-chart"), {
      move: (name, level) => this.move({ [name]: thresholdOf(level) }),
      settle: () => this.settle(),
    });
    this.curves = new Curves(find(".lab-curves"));
    this.tables = new Tables(root);
    this.filtering = new Filtering({
      failed: () => this.controls.explain(text("error_worker"), true),
      filtered: (plane) => this.entry && this.setPlane(plane), // without one where the picture went meanwhile
      counted: (objects) => {
        if (!this.entry) return;
        this.entry.objects = objects;
        this.draw("numbers");
      },
    });
    this.controls = new Controls(this);
    this.recall();
    this.bar = travelling(find(".lab-bar-travel"));
  }

  // Pictures ---------------------------------------------------------------------------------------------------

  async setValue({ picture = null, data_set: dataSet = null }) {
    this.setDataSet(dataSet);
    const id = picture && [picture.image.url, picture.planes.url, picture.meta.model, picture.meta.class_name].join("\n");
    this.wanted = id;
    this.failed = false;
    if (!picture) return this.clear();
    if (this.entry?.id === id) return this.told(picture);
    this.wait("loading", true);
    if (!this.entry) this.root.dataset.state = "loading";
    try {
      const [{ planes, timing }, image] = await Promise.all([fetchPlanes(picture), fetchImage(picture)]);
      if (this.wanted === id) this.swap({ id, picture, image, timing, plane: planes[0], labels: planes[1] || null });
    } catch (error) {
      if (this.wanted !== id) return;
      this.wanted = this.entry?.id; // the picture before stays
      this.failed = true;
      this.fail(picture, error);
    }
  }

  clear() {
    this.entry = null;
    this.fail(null);
    this.root.dataset.state = "empty";
  }

  /** The same picture with other facts about it: its threshold was written, or a link leads to another state of it. */
  told(picture) {
    const asked = picture.meta.state;
    this.wait("loading", false);
    this.fail(null);
    if (asked && JSON.stringify(asked) !== JSON.stringify(this.entry.picture.meta.state)) this.change(fromLink(asked));
    this.entry.picture = picture;
    this.remember();
    this.draw("caption");
  }

  swap(entry) {
    const { picture, plane, labels } = entry;
    const before = this.entry?.picture;
    entry.histogram = histogram(plane);
    this.entry = entry;
    this.root.dataset.state = "ready";
    this.wait("loading", false);
    this.fail(null);
    this.root.classList.toggle("lab-has-labels", Boolean(labels));
    this.root.style.setProperty("--ratio", picture.width / picture.height);
    this.root.style.setProperty("--class", css(picture.meta.color));
    // Another picture of the same class: the threshold that is being tried stays.
    const same = before?.meta.model === picture.meta.model && before?.meta.class_name === picture.meta.class_name;
    const start = picture.meta.state ? fromLink(picture.meta.state) : same ? {} : { threshold: picture.meta.threshold };
    if (!same && start.low === undefined) start.low = null;
    this.state.restart(start);
    this.panes.setPicture(entry);
    this.filtering.setPicture(plane, picture.width, picture.height);
    this.setPlane(plane);
    this.filter();
    this.port.setImage(picture.width, picture.height);
    this.pointed = null;
    this.controls.forget();
    this.draw("heat", "mask", "view", "numbers", "caption", "controls");
    this.remember();
  }

  /** plane: the one whose thresholds are the masks, under the present filters. */
  setPlane(plane) {
    const { entry } = this;
    entry.objects = null;
    entry.kept = atLeast(histogram(plane));
    this.panes.setPlane(plane);
    entry.counts = entry.labels && labelCounts(plane, entry.labels);
    entry.sweep = entry.counts && new Sweep(entry.counts);
    const split = entry.labels && labelCounts(entry.plane, entry.labels)[1];
    this.chart.setCounts(entry.histogram, split, this.panes.viridis);
    this.draw("mask", "numbers", "curves");
  }

  setDataSet(dataSet) {
    const known = dataSet && JSON.stringify(dataSet);
    if (known === this.knownDataSet) return;
    this.knownDataSet = known;
    this.dataSet = dataSet && { ...dataSet, sweep: new Sweep(dataSet.counts) };
    this.view.ofData = Boolean(dataSet); // what was just asked for is what is shown
    this.draw("curves", "numbers", "controls");
  }

  fail(picture, error) {
    const message = this.root.querySelector(".lab-error");
    message.hidden = !picture;
    if (!picture) return;
    this.wait("loading", false);
    message.textContent =
      typeof DecompressionStream === "undefined"
        ? text("error_browser")
        : text("error_fetch", { name: picture.name, why: error.message });
  }

  /** what: "loading" or "working"; either makes the bar travel. */
  wait(what, on) {
    const { classList } = this.root;
    classList.toggle("lab-" + what, on);
    if (classList.contains("lab-loading") || classList.contains("lab-working")) this.bar.play();
    else this.bar.pause();
  }

  setWorking(working) {
    this.wait("working", working);
    this.root.setAttribute("aria-busy", String(working));
    this.root.querySelector(".lab-status").textContent = working ? text("working") : "";
    this.root.querySelector(".lab-empty span").textContent = text(working ? "working" : "empty_hint");
  }

  /** The level of the mask: above all values where not even the whole picture is as large as the smallest object. */
  get level() {
    return this.state.now.smallestObject > this.entry.plane.length ? LEVELS : this.state.level;
  }

  // The state --------------------------------------------------------------------------------------------------

  /** What the curves and the choices go by: the picture's labels, or the data set; null where there are neither. */
  sweep() {
    const own = this.entry?.sweep || null;
    return (this.view.ofData || !own) && this.usableDataSet() ? this.dataSet.sweep : own;
  }

  /** Whether there is a data set that was measured for the model and the class that are looked at. */
  usableDataSet() {
    const { model, class_name: name } = this.entry?.picture.meta || {};
    return Boolean(this.dataSet && this.dataSet.model === model && this.dataSet.class_name === name);
  }

  /** While something is being dragged. */
  move(values) {
    if (!this.entry) return;
    const before = this.state.now;
    this.state.change(values);
    this.moved(before);
  }

  moved(before) {
    const { now } = this.state;
    const filters = ["low", "smallestObject", "smallestHole"];
    if (filters.some((name) => now[name] !== before[name])) this.filter();
    if (now.threshold !== before.threshold) this.draw("mask", "numbers");
    if (this.view.uncertainty && now.threshold !== before.threshold) this.draw("heat");
    this.draw("controls");
  }

  /** Let go: one step of undo, and the address of the page follows. */
  settle() {
    if (this.state.settle()) this.remember();
    this.draw("controls");
  }

  change(values) {
    this.move(values);
    this.settle();
  }

  travel(direction) {
    const before = this.state.now;
    if (!this.state[direction]()) return;
    this.moved(before);
    this.remember();
  }

  filter() {
    const { smallestObject, smallestHole } = this.state.now;
    this.filtering.ask({ low: this.state.lowLevel, smallestObject, smallestHole });
  }

  /** The page's address leads back here, after a reload or from elsewhere. */
  remember() {
    clearTimeout(this.later);
    if (!this.root.offsetParent) return; // another tab is open by now
    const link = this.entry?.picture.meta.link || {};
    if (!Object.keys(link).length) return;
    const pause = (this.remembered || 0) + ADDRESS_PAUSE - performance.now();
    if (pause > 0) {
      this.later = setTimeout(() => this.remember(), pause);
      return;
    }
    this.remembered = performance.now();
    history.replaceState(history.state, "", this.state.address(link));
  }

  // How it is looked at ----------------------------------------------------------------------------------------

  setView(values) {
    Object.assign(this.view, values);
    try {
      sessionStorage.setItem(VIEW_KEY, JSON.stringify(this.view));
    } catch {
      // A private window may refuse; the view then lasts as long as the page.
    }
    this.applyView();
  }

  recall() {
    if (matchMedia("(max-width: 640px)").matches) this.view.layout = "blend";
    try {
      Object.assign(this.view, JSON.parse(sessionStorage.getItem(VIEW_KEY)), { ofData: false });
    } catch {
      // Nothing stored yet, or the browser forbids it: the defaults stand.
    }
    this.applyView();
  }

  applyView() {
    const { layout, heat, overlay, log } = this.view;
    const blended = layout === "blend";
    this.root.dataset.layout = layout;
    // One canvas, in its own pane or between the photo and the overlay.
    const { probability } = this.panes.canvas;
    const world = this.root.querySelector(`[data-pane=${blended ? "overlay" : "probability"}] .lab-world`);
    if (world.nextElementSibling !== probability) world.after(probability);
    this.root.style.setProperty("--heat", blended ? heat / 100 : 1);
    this.root.style.setProperty("--overlay", overlay / 100);
    this.chart.setLog(log);
    this.draw("heat", "mask", "view", "numbers", "curves", "controls");
  }

  // Drawing ----------------------------------------------------------------------------------------------------

  draw(...parts) {
    parts.forEach((part) => this.due.add(part));
    if (this.scheduled || !this.entry) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.frame());
  }

  frame() {
    this.scheduled = false;
    if (!this.entry) return;
    const due = this.due;
    this.due = new Set();
    const started = performance.now();
    const { level } = this;
    const looked = due.has("view");
    if (looked) {
      this.port.apply();
      this.panes.setView(this.port);
      this.root.querySelector(".lab-percent").textContent = Math.round(this.port.scale * 100) + " %";
    }
    if (looked || due.has("mask")) {
      if (this.view.layout === "grid") this.panes.paintMask(level);
      this.panes.paintOverlay(level, this.view.errors);
    }
    if (looked || due.has("heat")) {
      this.panes.paintHeat(level, this.view.uncertainty);
      this.root.style.setProperty("--colors", this.panes.legend(this.view.uncertainty));
    }
    const drawMs = performance.now() - started;
    if (due.has("curves")) this.drawCurves();
    if (due.has("numbers")) {
      const { entry } = this;
      this.tables.mask(level, entry.kept, this.near(level), entry.objects);
      this.tables.labelled(entry.sweep && entry.sweep.at(level));
      this.curves.move(level);
    }
    if (due.has("controls") || due.has("mask")) {
      this.chart.move(this.state.level, this.state.lowLevel);
      this.controls.show();
    }
    if (due.has("caption")) this.caption();
    this.point();
    this.drawn += 1;
    Object.assign(this.root.dataset, { drawn: this.drawn, drawMs: drawMs.toFixed(2) });
  }

  near(level) {
    const counts = this.entry.histogram;
    let pixels = 0;
    for (let value = 0; value < LEVELS; value++) {
      if (Math.abs(value + 0.5 - level) <= NEAR * FULL) pixels += counts[value];
    }
    return pixels;
  }

  drawCurves() {
    const sweep = this.sweep();
    this.curves.setSweep(sweep);
    const of = this.root.querySelector(".lab-of");
    if (!sweep) return;
    const { name, split, pictures } = this.dataSet || {};
    of.textContent =
      sweep === this.entry.sweep
        ? text("curves_picture", { name: this.entry.picture.name })
        : text("curves_data", { name, split, n: NUMBER.format(pictures) });
  }

  caption() {
    const { name, width, height, meta } = this.entry.picture;
    const title = this.root.querySelector(".lab-name");
    title.textContent = title.title = name;
    const threshold = text("own_threshold", { threshold: shownThreshold(meta.threshold) });
    const parts = [`${width} × ${height}`, meta.model, meta.class_name, ...(meta.task === "binary" ? [threshold] : [])];
    this.root.querySelector(".lab-caption").textContent = parts.join(" · ");
  }

  /** The cross in all panes, and what is there in words. */
  point() {
    const at = this.pointed && this.port.toImage(...this.pointed);
    const found = at && this.panes.at(...at, this.level);
    for (const cross of this.crosses) {
      hide(cross, !found);
      if (found) cross.style.transform = `translate(${this.pointed[0]}px, ${this.pointed[1]}px)`;
    }
    const words = this.root.querySelector(".lab-readout");
    if (!found) return setWords(words, text("readout_hint"));
    const parts = [
      `x ${Math.floor(at[0])}, y ${Math.floor(at[1])}`,
      `p = ${(found.value / FULL).toFixed(3)} (${found.value})`,
      text(found.inside ? "in_mask" : "not_in_mask"),
    ];
    if (found.label !== null) parts.push(text(found.label ? "labelled_class" : "labelled_background"));
    setWords(words, parts.join(" · "));
  }
}

/** The numbers of a link; what is missing stays as a picture begins. */
function fromLink(asked) {
  const { threshold = START.threshold, low = null, smallest_object: object = 0, smallest_hole: hole = 0 } = asked;
  return { threshold, low, smallestObject: object, smallestHole: hole };
}
