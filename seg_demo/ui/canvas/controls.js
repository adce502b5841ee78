// Controls: buttons, keys and the help, all of them turned into calls of the canvas.

const HELP = ["wheel", "fit", "pan", "arrows", "outline", "digits", "space", "hover", "only"];
const ZOOM_STEP = 1.5;

class Controls {
  constructor(canvas) {
    this.canvas = canvas;
    this.root = canvas.root;
    this.help = this.root.querySelector(".sc-help");
    const { root, view } = canvas;
    const actions = {
      "help": () => this.toggleHelp(),
      "zoom-in": () => view.zoom(ZOOM_STEP),
      "zoom-out": () => view.zoom(1 / ZOOM_STEP),
      "fit": () => view.fit(),
      "fullscreen": () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
      "outline": () => canvas.setOutlined(!canvas.settings.outlined),
      "all": () => canvas.choose(() => true),
      "none": () => canvas.choose(() => false),
    };
    for (const [name, act] of Object.entries(actions)) this.button(name).addEventListener("click", act);
    this.button("fullscreen").hidden = !document.fullscreenEnabled;
    canvas.range.addEventListener("input", () => canvas.setOpacity(Number(canvas.range.value)));
    const compare = this.button("compare");
    compare.addEventListener("pointerdown", () => canvas.setPlain(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
      compare.addEventListener(end, () => canvas.setPlain(false));
    }
    compare.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press on a phone
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("keyup", (event) => event.key === " " && canvas.setPlain(false));
    root.addEventListener("focusout", () => canvas.setPlain(false));
    this.keys = {
      "o": actions.outline,
      "+": actions["zoom-in"],
      "=": actions["zoom-in"], // "+" without Shift on many keyboards
      "-": actions["zoom-out"],
      "0": actions.fit,
      "?": actions.help,
    };
    const lines = HELP.flatMap((name) => [
      make("dt", "", text("help_" + name)),
      make("dd", "", text(`help_${name}_does`)),
    ]);
    this.help.querySelector("dl").append(...lines);
    const outside = (event) => {
      // Gradio takes the component down without a word; this listener must not keep it in memory.
      if (!this.root.isConnected) document.removeEventListener("pointerdown", outside);
      else if (!this.help.hidden && !event.target.closest(".sc-help, [data-act=help]")) this.toggleHelp();
    };
    document.addEventListener("pointerdown", outside);
  }

  button(name) {
    return this.root.querySelector(`[data-act=${name}]`);
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    this.button("help").setAttribute("aria-expanded", String(!this.help.hidden));
  }

  key(event) {
    const { canvas } = this;
    if (event.ctrlKey || event.metaKey || event.altKey || !canvas.shown) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if ((arrow || event.key === " ") && event.target === canvas.range) return;
    if (arrow) {
      if (event.shiftKey) canvas.view.pan(-60 * arrow[0], -60 * arrow[1]);
      else if (arrow[0] && canvas.pictures.length > 1) this.step(arrow[0]);
      else return;
    } else if (event.key === " ") {
      const button = event.target.closest("button, summary");
      if (button && button.dataset.act !== "compare") return; // Space presses the button that has the focus
      if (!event.repeat) canvas.setPlain(true);
    } else if (event.key === "Escape") {
      if (this.help.hidden) return;
      this.toggleHelp();
    } else if (event.key >= "1" && event.key <= "9") {
      const id = canvas.legend.order[event.key - 1];
      if (id !== undefined) canvas.toggle(id);
    } else {
      const act = this.keys[event.key.toLowerCase()];
      if (!act) return;
      act();
    }
    event.preventDefault();
  }

  step(by) {
    const { canvas } = this;
    const to = Math.min(canvas.pictures.length - 1, Math.max(0, canvas.index + by));
    if (to === canvas.index) return;
    const strip = document.activeElement?.closest(".sc-strip");
    canvas.show(to);
    if (strip) strip.children[to].focus({ preventScroll: true });
  }
}
