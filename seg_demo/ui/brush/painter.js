// Painter: holds the picture and its label map, and draws at most once a frame.

const EVENTS = { save: "save", next: "next", previous: "previous", draft: "draft" }; // Gradio looks for these words

class Painter {
  constructor(root, trigger) {
    this.root = root;
    this.trigger = trigger;
    const find = (selector) => root.querySelector(selector);
    this.stage = find(".sb-stage");
    this.work = null;
    this.due = new Set();
    this.box = null; // image pixels to paint again
    this.drawn = 0;
    fillTexts(root);
    this.keeper = new Keeper({ busy: () => this.tools.painting, done: () => this.draw("state") });
    this.overlay = new Overlay(find(".sb-overlay"));
    this.cursor = new Cursor(find(".sb-cursor"));
    this.tools = new Tools(find(".sb-lasso"), () => this.edited());
    this.port = new PaintPort(this.stage, find(".sb-world"), {
      moved: () => this.draw("view"),
      point: (x, y) => {
        this.pointed = x === null ? null : [x, y];
        this.draw("cursor");
      },
      pans: () => this.spaceHeld || this.tools.tool === "hand",
      begin: (x, y) => this.stroke(() => this.tools.begin(x, y, this.port)),
      draw: (places) => this.stroke(() => this.tools.draw(places, this.port)),
      end: () => this.stroke(() => this.tools.end()),
      cancel: () => this.stroke(() => this.tools.cancel()),
      twice: () => this.tools.lasso.open && this.tools.lasso.close(),
    });
    this.legend = new Legend(root, (id) => this.controls.chooseClass(id));
    this.controls = new Controls(this);
    this.bar = travelling(find(".sb-bar"));
    const leaving = (event) => {
      if (!root.isConnected) return window.removeEventListener("beforeunload", leaving);
      if (!this.work?.dirty || this.work.kept) return;
      this.keeper.keep(this.work).catch(() => {});
      event.preventDefault(); // what was done in the last moment is not kept yet: the browser asks
    };
    window.addEventListener("beforeunload", leaving);
  }

  // Pictures ---------------------------------------------------------------------------------------------------

  async setValue(value) {
    const { work } = this;
    this.wanted = value?.key ?? null;
    this.failed = false;
    if (work && value && work.value.key === value.key && sameSize(work.value, value)) return this.told(value);
    this.leave();
    if (!value) return this.clear();
    this.wait("loading", true);
    if (!work) this.root.dataset.state = "loading";
    try {
      const parts = [fetchImage(value), fetchPlane(value, "labels"), this.keeper.find(value)];
      const [image, labels, found] = await Promise.all(parts);
      if (this.wanted === value.key) this.swap(value, image, labels, found);
    } catch (error) {
      if (this.wanted !== value.key) return;
      this.wanted = this.work?.value.key ?? null; // the picture before stays
      this.failed = true;
      this.fail(value, error);
    }
  }

  clear() {
    this.work = null;
    this.fail(null);
    this.wait("loading", false);
    this.root.dataset.state = "empty";
  }

  /** found: what was not saved, or null. */
  swap(value, image, labels, found) {
    const plane = new LabelPlane(value.width, value.height, found?.data || labels, (...box) => this.repaint(box));
    this.work = new Work(value, image, plane, value.version, found ? 1 : 0);
    this.root.dataset.state = "ready";
    this.wait("loading", false);
    this.fail(null);
    this.root.style.setProperty("--ratio", value.width / value.height);
    this.root.querySelector(".sb-world").replaceChildren(image);
    this.tools.setPlane(plane);
    this.setClasses(value.classes);
    this.port.setImage(value.width, value.height);
    this.port.fit();
    this.notice(found && (found.base === value.version ? "restored" : "restored_older"));
    this.stage.setAttribute("aria-label", text("picture") + ": " + value.name);
    this.draw("all", "view", "legend", "state");
  }

  setClasses(classes) {
    this.overlay.setPlane(this.work.plane, classes);
    const shown = JSON.stringify(classes);
    if (shown !== this.classesShown) this.legend.setClasses(classes);
    // One begins with the first class that is not the background.
    if (!this.classesShown) this.tools.id = 1;
    this.classesShown = shown;
    this.tools.id = Math.min(this.tools.id, classes.length - 1);
    this.controls.show();
  }

  /** The same picture again: it was saved, its classes have changed, a prediction has come, or it is another label map. */
  async told(value) {
    const { work } = this;
    const before = work.value;
    const wanted = work.draftWanted;
    work.draftWanted = null;
    work.value = value;
    this.wait("loading", false);
    this.fail(null);
    if (value.version !== work.base) {
      work.base = value.version;
      if (work.sent?.version === value.version) this.saved(work);
      else if (work.dirty) this.notice("restored_older");
      else await this.takeOver();
    }
    if (JSON.stringify(before.classes) !== JSON.stringify(value.classes)) this.setClasses(value.classes);
    if (before.draft?.url !== value.draft?.url) work.draft = null;
    if (value.draft && wanted) this.takeDraft(wanted);
    this.draw("all", "legend", "state");
  }

  /** The server has what was sent. What was painted since is not saved yet. */
  saved(work) {
    work.savedEdits = work.sent.edits;
    work.sending = false;
    this.notice(null);
    if (work.dirty) this.keeper.soon(work);
    else this.keeper.forget(work);
  }

  /** The saved label map instead of what is here, which can be brought back by undo. */
  async takeOver() {
    const { work } = this;
    try {
      const labels = await fetchPlane(work.value, "labels");
      if (this.work !== work) return;
      this.change((plane) => plane.merge(labels || UNLABELLED, true));
      work.savedEdits = work.edits;
      this.notice(null);
      await this.keeper.forget(work);
    } catch (error) {
      this.fail(work.value, error);
    }
  }

  /** Another picture comes: what is not saved is kept and comes back with this one. */
  leave() {
    if (!this.work) return;
    this.tools.stop();
    if (this.work.dirty && !this.work.kept) this.keeper.keep(this.work).catch(() => {});
  }

  fail(value, error) {
    const message = this.root.querySelector(".sb-error");
    message.hidden = !value;
    if (!value) return;
    this.wait("loading", false);
    const { DecompressionStream: unpacks, CompressionStream: packs } = window;
    const { name } = value;
    message.textContent = packs && unpacks ? text("error_fetch", { name, why: error.message }) : text("error_browser");
  }

  notice(name) {
    const notice = this.root.querySelector(".sb-notice");
    hide(notice, !name);
    if (name) notice.querySelector("span").textContent = text(name);
  }

  /** what: "loading" or "working"; either makes the bar travel. */
  wait(what, on) {
    const { classList } = this.root;
    classList.toggle("sb-" + what, on);
    if (classList.contains("sb-loading") || classList.contains("sb-working")) this.bar.play();
    else this.bar.pause();
  }

  setWorking(working) {
    this.wait("working", working);
    this.root.setAttribute("aria-busy", String(working));
    this.root.querySelector(".sb-empty span").textContent = text(working ? "working" : "empty_hint");
    if (!working && this.work) this.work.sending = false;
    this.draw("state");
  }

  // Work -------------------------------------------------------------------------------------------------------

  stroke(act) {
    const started = performance.now();
    if (this.work) act();
    this.strokeMs = performance.now() - started;
    this.draw("cursor", "legend");
  }

  /** A step is done that undo takes back. */
  edited() {
    this.work.edits += 1;
    this.notice(null);
    this.keeper.soon(this.work);
    this.draw("legend", "state");
  }

  /** act: something that changes the plane as a whole. */
  change(act) {
    this.tools.stop();
    act(this.work.plane);
    if (this.work.plane.history.commit()) this.edited();
  }

  /** how: "undo" or "redo". */
  travel(how) {
    if (this.tools.lasso.open) return this.tools.lasso.cancel();
    this.tools.stop();
    if (this.work.plane.history[how]()) this.edited();
  }

  /** how: "all", or "rest" for the pixels without a label. */
  async takeDraft(how) {
    const { work } = this;
    if (!work.value.draft) {
      work.draftWanted = how;
      return this.trigger(EVENTS.draft, work.which);
    }
    try {
      work.draft = work.draft || (await fetchPlane(work.value, "draft"));
      if (this.work === work) this.change((plane) => plane.merge(work.draft, how === "all"));
    } catch (error) {
      this.fail(work.value, error);
    }
  }

  /** go: where to be afterwards: "stay", "next" or "previous". */
  async save(go) {
    const { work } = this;
    if (work.sending) return;
    this.tools.stop();
    if (!work.dirty) return this.walk(go);
    work.sending = true;
    this.draw("state");
    try {
      const { bytes, version, edits } = await this.keeper.keep(work);
      if (this.work !== work) return;
      if (!work.dirty) {
        work.sending = false;
        return this.walk(go);
      }
      work.sent = { version, edits };
      const { width, height } = work.value;
      this.trigger(EVENTS.save, { ...work.which, width, height, plane: base64(bytes), go });
    } catch (error) {
      work.sending = false;
      this.fail(work.value, error);
    }
  }

  /** To another picture, without saving. */
  walk(go) {
    if (go !== "stay" && this.work.reaches(go)) this.trigger(EVENTS[go], this.work.which);
    this.draw("state");
  }

  // Drawing ----------------------------------------------------------------------------------------------------

  repaint([x0, y0, x1, y1]) {
    const { box } = this;
    this.box = box
      ? [Math.min(box[0], x0), Math.min(box[1], y0), Math.max(box[2], x1), Math.max(box[3], y1)]
      : [x0, y0, x1, y1];
    this.draw("box");
  }

  draw(...parts) {
    parts.forEach((part) => this.due.add(part));
    if (this.scheduled || !this.work) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.frame());
  }

  frame() {
    this.scheduled = false;
    if (!this.work) return;
    const { due, box } = this;
    this.due = new Set();
    this.box = null;
    const started = performance.now();
    if (due.has("view")) {
      this.port.apply();
      this.overlay.setView(this.port);
      this.tools.lasso.show(this.port);
      setWords(this.root.querySelector(".sb-scale"), Math.round(this.port.scale * 100) + " %");
    }
    if (due.has("view") || due.has("all")) this.overlay.paintAll();
    else if (box) this.overlay.paintImage(...box);
    const { tools } = this;
    const outlined = this.pointed && tools.hasOutline && this.port.grip !== "pan" && !this.spaceHeld;
    const color = this.work.value.classes[tools.writes]?.color || null;
    this.cursor.show(outlined ? this.port.toImage(...this.pointed) : null, tools.size, color, this.port);
    const drawMs = performance.now() - started;
    if (due.has("legend")) this.legend.update(this.work.plane.counts, this.work.plane.data.length);
    if (due.has("legend") || due.has("state")) this.controls.caption();
    this.drawn += 1;
    Object.assign(this.root.dataset, { drawn: this.drawn, drawMs: drawMs.toFixed(2) });
  }

  toPage(x, y) {
    const box = this.stage.getBoundingClientRect();
    const { port } = this;
    return [
      box.left + this.stage.clientLeft + port.x + x * port.scale,
      box.top + this.stage.clientTop + port.y + y * port.scale,
    ];
  }

  state() {
    const { work, tools } = this;
    return {
      key: work?.value.key ?? null,
      name: work?.value.name ?? null,
      ready: Boolean(work) && work.value.key === this.wanted && !this.scheduled,
      tool: tools.tool,
      id: tools.id,
      size: tools.size,
      scale: this.port.scale,
      dirty: Boolean(work?.dirty),
      kept: Boolean(work?.kept),
      sending: Boolean(work?.sending),
      steps: work ? work.plane.history.past.length : 0,
      bytes: work ? work.plane.history.bytes : 0,
      strokeMs: this.strokeMs,
    };
  }
}
