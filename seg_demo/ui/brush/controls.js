// Controls: buttons, sliders and keys, all of them turned into calls of the painter.

const HELP = ["classes", "eraser", "tools", "size", "zoom", "pan", "undo", "save", "walk", "hide"];
const ZOOM_STEP = 1.5;
const KEY_STEP = 60; // CSS pixels that an arrow key moves the picture

class Controls {
  constructor(painter) {
    this.painter = painter;
    const { root, port } = painter;
    this.root = root;
    this.size = root.querySelector(".sb-size input");
    this.opacity = root.querySelector(".sb-opacity input");
    this.hiding = false;
    this.buttons = {};
    for (const button of root.querySelectorAll("[data-act]")) this.buttons[button.dataset.act] = button;
    const tool = (name) => [name, () => this.chooseTool(name)];
    this.actions = {
      ...Object.fromEntries(TOOLS.map(tool)),
      "undo": () => painter.travel("undo"),
      "redo": () => painter.travel("redo"),
      "smaller": () => this.setSize(smaller(painter.tools.size)),
      "larger": () => this.setSize(larger(painter.tools.size)),
      "zoom-in": () => port.zoom(ZOOM_STEP),
      "zoom-out": () => port.zoom(1 / ZOOM_STEP),
      "fit": () => port.fit(),
      "help": () => this.toggleHelp(),
      "hide": () => this.setHiding(!this.hiding),
      "rest": () => painter.change((plane) => plane.merge(0, false)),
      "draft-rest": () => painter.takeDraft("rest"),
      "draft-all": () => painter.takeDraft("all"),
      "discard": () => painter.takeOver(),
      "save": () => painter.save("stay"),
      "save-next": () => painter.save("next"),
      "next": () => painter.walk("next"),
      "previous": () => painter.walk("previous"),
    };
    for (const [name, act] of Object.entries(this.actions)) {
      this.buttons[name].addEventListener("click", (event) => {
        if (painter.work) act();
        // Who clicks goes on painting: Enter and Space are for the picture then, not for this button.
        if (event.detail && name !== "help") painter.stage.focus({ preventScroll: true });
      });
    }
    this.size.addEventListener("input", () => this.setSize(sizeAt(Number(this.size.value))));
    this.opacity.addEventListener("input", () => this.setOpacity(Number(this.opacity.value)));
    root.addEventListener("pointerdown", ({ target }) => {
      if (!root.querySelector(".sb-help").hidden && !target.closest(".sb-help, [data-act=help]")) this.toggleHelp();
    });
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("keyup", (event) => event.key === " " && this.holdSpace(false));
    root.addEventListener("focusout", () => this.holdSpace(false));
    this.keys = {
      "b": "brush", "e": "eraser", "0": "eraser", "f": "fill", "l": "lasso", "h": "hand", "v": "hide",
      "[": "smaller", "]": "larger", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", "?": "help",
      "pagedown": "next", "pageup": "previous", "home": "fit",
    }; // prettier-ignore
    root.querySelector(".sb-help dl").append(
      ...HELP.flatMap((name) => [make("dt", "", text("help_" + name)), make("dd", "", text(`help_${name}_does`))]),
    );
    this.setOpacity(55);
    this.setSize(painter.tools.size);
  }

  // Settings ---------------------------------------------------------------------------------------------------

  chooseTool(name) {
    this.painter.tools.choose(name);
    this.show();
  }

  /** A class, or the eraser; the fill and the lasso stay what they are, anything else becomes the brush. */
  chooseClass(id) {
    const { tools, work, stage } = this.painter;
    if (id === UNLABELLED) return this.chooseTool("eraser");
    if (!work || id >= work.value.classes.length) return;
    tools.id = id;
    if (tools.tool === "eraser" || tools.tool === "hand") tools.choose("brush");
    this.show();
    if (this.root.contains(document.activeElement)) stage.focus({ preventScroll: true });
  }

  setSize(size) {
    const { tools } = this.painter;
    tools.setSize(size);
    this.size.value = placeOf(tools.size);
    this.size.setAttribute("aria-valuetext", tools.size + " px");
    this.fillTrack(this.size);
    this.root.querySelector(".sb-size output").textContent = tools.size + " px";
    this.painter.draw("cursor");
  }

  setOpacity(percent) {
    this.opacity.value = percent;
    this.fillTrack(this.opacity);
    this.root.querySelector(".sb-opacity output").textContent = percent + " %";
    this.root.style.setProperty("--opacity", percent / 100);
  }

  fillTrack(range) {
    range.style.setProperty("--at", (100 * (range.value - range.min)) / (range.max - range.min) + "%");
  }

  setHiding(hiding) {
    this.hiding = hiding;
    this.root.classList.toggle("sb-hiding", hiding);
    this.show();
  }

  holdSpace(held) {
    this.painter.spaceHeld = held;
    this.root.classList.toggle("sb-pans", held || this.painter.tools.tool === "hand");
    this.painter.draw("cursor");
  }

  toggleHelp() {
    const help = this.root.querySelector(".sb-help");
    help.hidden = !help.hidden;
    this.buttons.help.setAttribute("aria-expanded", String(!help.hidden));
  }

  // What is shown ----------------------------------------------------------------------------------------------

  show() {
    const { painter, buttons } = this;
    const { tools, work } = painter;
    this.root.dataset.tool = tools.tool;
    this.holdSpace(Boolean(painter.spaceHeld));
    for (const name of TOOLS) buttons[name].setAttribute("aria-pressed", String(name === tools.tool));
    buttons.hide.setAttribute("aria-pressed", String(this.hiding));
    if (!work) return;
    painter.legend.mark(tools.tool === "eraser" ? UNLABELLED : tools.id);
    this.caption();
  }

  caption() {
    const { painter, buttons } = this;
    const { work } = painter;
    const { plane, value, sending, dirty } = work;
    const { width, height, place, classes } = value;
    const name = this.root.querySelector(".sb-title");
    name.textContent = name.title = value.name;
    const total = plane.data.length;
    const parts = [`${width} × ${height}`, text("labelled", { share: share(plane.labelled, total) })];
    if (value.image_width < width) parts.push(text("reduced"));
    setWords(this.root.querySelector(".sb-caption"), parts.join(" · "));
    setWords(this.root.querySelector(".sb-place"), place ? `${place[0]} / ${place[1]}` : "");
    const unsaved = work.kept && painter.keeper.shelf.lasting ? "unsaved" : "unsaved_here";
    const state = sending ? "saving" : dirty ? unsaved : value.version ? "saved" : "nothing_yet";
    setWords(this.root.querySelector(".sb-state"), text(state));
    this.root.dataset.saved = state;
    const able = {
      "undo": plane.history.past.length > 0 || painter.tools.lasso.open,
      "redo": plane.history.future.length > 0,
      "rest": plane.counts[UNLABELLED] > 0,
      "draft-rest": plane.counts[UNLABELLED] > 0,
      "save": dirty && !sending,
      "save-next": !sending && (dirty || work.reaches("next")),
      "next": work.reaches("next"),
      "previous": work.reaches("previous"),
    };
    // Not `disabled`, which would take the focus away from who works with keys.
    for (const [act, can] of Object.entries(able)) buttons[act].setAttribute("aria-disabled", String(!can));
    for (const node of this.root.querySelectorAll(".sb-walking")) hide(node, !place);
    hide(this.root.querySelector(".sb-draft"), !value.draft && !value.can_draft);
    setWords(buttons.rest.querySelector("span"), text("rest", { name: classes[0].name }));
  }

  // Keys -------------------------------------------------------------------------------------------------------

  key(event) {
    const { painter } = this;
    if (!painter.work || event.defaultPrevented || event.isComposing) return;
    const { key, target } = event;
    const pressed = target.closest("button, summary, input");
    if (event.ctrlKey || event.metaKey) {
      const act = { z: event.shiftKey ? "redo" : "undo", y: "redo", s: "save" }[key.toLowerCase()];
      if (!act || event.altKey) return;
      this.actions[act]();
    } else if (event.altKey) {
      return;
    } else if (key === "Enter" || key === " ") {
      if (pressed) return; // these press the button that has the focus
      if (key === " ") this.holdSpace(true);
      else if (painter.tools.lasso.open) painter.tools.lasso.close();
      else if (!event.repeat) painter.save("next");
    } else if (key.startsWith("Arrow")) {
      if (target.matches("input")) return;
      const [x, y] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
      painter.port.pan(x * KEY_STEP, y * KEY_STEP);
    } else if (key === "Escape") {
      if (painter.tools.lasso.open) painter.tools.lasso.cancel();
      else if (!this.root.querySelector(".sb-help").hidden) this.toggleHelp();
      else return;
    } else if (key === "Backspace" && painter.tools.lasso.open) {
      painter.tools.lasso.back(painter.port);
    } else if (key >= "1" && key <= "9") {
      this.chooseClass(Number(key) - 1);
    } else {
      const act = this.keys[key.toLowerCase()];
      if (!act || (key === "Home" && target.matches("input"))) return;
      this.actions[act]();
    }
    event.preventDefault();
  }
}

// The slider is finer where brushes are small: its place is the root of the size.

function placeOf(size) {
  return Math.round(1000 * Math.sqrt((size - 1) / (LARGEST_BRUSH - 1)));
}

function sizeAt(place) {
  return 1 + (LARGEST_BRUSH - 1) * (place / 1000) ** 2;
}

function larger(size) {
  return size + Math.max(1, Math.round(size / 6));
}

function smaller(size) {
  return size - Math.max(1, Math.round(size / 7));
}
