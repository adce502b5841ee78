// Controls: buttons, sliders, numbers and keys, all of them turned into calls of the laboratory.

const HELP = ["steps", "lines", "exact", "wheel", "pan", "undo", "views"];
const ZOOM_STEP = 1.5;
const LARGEST_FILTER = 0.25; // of the picture's pixels, where the sliders of the filters end

class Controls {
  constructor(lab) {
    this.lab = lab;
    this.root = lab.root;
    this.slider = this.root.querySelector(".lab-slider");
    this.numbers = [...this.root.querySelectorAll("[data-number]")];
    this.sizes = [...this.root.querySelectorAll("[data-size]")];
    this.why = this.root.querySelector(".lab-why");
    this.level = this.root.querySelector(".lab-level");
    this.low = this.root.querySelector(".lab-low");
    this.source = this.root.querySelector(".lab-source");
    this.buttons = {};
    for (const button of this.root.querySelectorAll("[data-act]")) this.buttons[button.dataset.act] = button;
    this.choices = new Map();
    const { port } = lab;
    const view = (values) => () => lab.setView(values);
    this.actions = {
      "grid": view({ layout: "grid" }),
      "blend": view({ layout: "blend" }),
      "probability": view({ uncertainty: false }),
      "uncertainty": view({ uncertainty: true }),
      "errors": view({ errors: true }),
      "plain": view({ errors: false }),
      "of-picture": view({ ofData: false }),
      "of-data": view({ ofData: true }),
      "log": () => lab.setView({ log: !lab.view.log }),
      "hysteresis": () => this.toggleHysteresis(),
      "undo": () => lab.travel("undo"),
      "redo": () => lab.travel("redo"),
      "zoom-in": () => port.zoom(ZOOM_STEP),
      "zoom-out": () => port.zoom(1 / ZOOM_STEP),
      "fit": () => port.fit(),
      "help": () => this.toggleHelp(),
    };
    for (const [name, act] of Object.entries(this.actions)) this.buttons[name].addEventListener("click", act);
    this.root.querySelector(".lab-choice-list").append(...Object.entries(CHOICES).map((entry) => this.choice(...entry)));
    this.slider.addEventListener("input", () => lab.move({ threshold: thresholdOf(Number(this.slider.value)) }));
    this.slider.addEventListener("change", () => lab.settle());
    for (const input of this.numbers) input.addEventListener("change", () => this.enter(input));
    for (const input of this.sizes) {
      input.addEventListener("input", () => lab.move({ [input.dataset.size]: this.sizeAt(Number(input.value)) }));
      input.addEventListener("change", () => lab.settle());
    }
    for (const input of this.root.querySelectorAll("[data-opacity]")) {
      input.addEventListener("input", () => lab.setView({ [input.dataset.opacity]: Number(input.value) }));
    }
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.querySelector(".lab-help dl").append(
      ...HELP.flatMap((name) => [make("dt", "", text("help_" + name)), make("dd", "", text(`help_${name}_does`))]),
    );
  }

  toggleHelp() {
    const help = this.root.querySelector(".lab-help");
    help.hidden = !help.hidden;
    this.buttons.help.setAttribute("aria-expanded", String(!help.hidden));
  }

  toggleHysteresis() {
    const { now } = this.lab.state;
    this.lab.change({ low: now.low === null ? thresholdOf(Math.round(this.lab.state.level / 2)) : null });
  }

  // Choices ----------------------------------------------------------------------------------------------------

  choice(name, { value, labels }) {
    const box = make("span", "lab-choice" + (labels ? " lab-needs-labels" : ""));
    const button = make("button", "", text("choice_" + name));
    button.type = "button";
    button.title = text(`choice_${name}_about`);
    button.dataset.choice = name;
    box.append(button);
    let input = null;
    if (value) {
      input = make("input", "");
      const [start, min, max, step] = value;
      Object.assign(input, { type: "number", min, max, step, value: start, ariaLabel: text("choice_" + name) });
      input.dataset.choiceValue = name;
      input.addEventListener("change", () => this.choose(name, input));
      box.append(input, ...(name === "keep" ? [make("span", "", "%")] : []));
    }
    button.addEventListener("click", () => this.choose(name, input));
    this.choices.set(name, { box, button, input });
    return box;
  }

  choose(name, input) {
    const { lab } = this;
    if (!lab.entry) return;
    const [start, least, most] = CHOICES[name].value || [];
    if (input) input.value = input.value === "" ? start : clamped(input.value, least, most);
    const { level, threshold, problem } = CHOICES[name].find(lab, input && Number(input.value));
    if (problem) return this.explain(problem, true);
    this.chosen = name;
    lab.change({ threshold: threshold ?? thresholdOf(level) });
    const named = text("choice_" + name) + (input ? ` ${input.value}` : "") + (name === "keep" ? " %" : "");
    this.explain(`${named}: ${shownThreshold(lab.state.now.threshold)}. ${text(`choice_${name}_about`)}`);
    this.chosenAt = lab.state.now.threshold;
  }

  /** Another picture: what was chosen for the one before says nothing of it. */
  forget() {
    this.chosen = null;
    this.explain("");
  }

  /** problem: what was asked for cannot be; the sentence stays until something else is done. */
  explain(words, problem = false) {
    this.refusedAt = this.lab.state.now;
    this.why.textContent = words;
    this.why.classList.toggle("lab-problem", problem);
  }

  // Numbers ----------------------------------------------------------------------------------------------------

  enter(input) {
    const { lab } = this;
    const name = input.dataset.number;
    const value = Number(input.value.replace(",", "."));
    const size = input.dataset.number.startsWith("smallest");
    const good = size ? Number.isInteger(value) && value >= 0 : value >= 0 && value <= 1;
    if (input.value === "" || !good) {
      this.explain(text(size ? "number_size" : "number_probability", { value: input.value || "–" }), true);
    } else lab.change({ [name]: value });
    this.shown = null; // also what was refused is overwritten
    lab.draw("controls");
  }

  /** The sliders of the filters grow by the square: small sizes matter most. */
  sizeAt(percent) {
    const { width, height } = this.lab.entry.picture;
    return Math.round((percent / 100) ** 3 * LARGEST_FILTER * width * height);
  }

  percentOf(size) {
    const { width, height } = this.lab.entry.picture;
    return Math.min(100, 100 * Math.cbrt(size / (LARGEST_FILTER * width * height)));
  }

  // Keys -------------------------------------------------------------------------------------------------------

  key(event) {
    const { lab } = this;
    if (!lab.entry) return;
    const typing = event.target.matches("input[type=number]");
    const letter = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (typing || !"zy".includes(letter)) return;
      event.preventDefault();
      return lab.travel(letter === "y" || event.shiftKey ? "redo" : "undo");
    }
    if (event.altKey || typing) return;
    const step = { "[": -1, "]": 1, "{": -10, "}": 10, ",": -1, ".": 1 }[event.key];
    const arrow = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const act = { "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", "0": "fit", "?": "help", "h": "hysteresis", "l": "log" }[letter];
    if (step) {
      const level = Math.min(FULL, Math.max(0, lab.state.level + step));
      lab.change({ threshold: thresholdOf(level) });
    } else if (arrow && event.shiftKey) lab.port.pan(60 * arrow[0], 60 * arrow[1]);
    else if (act) this.actions[act]();
    else if (letter === "v") lab.setView({ layout: lab.view.layout === "grid" ? "blend" : "grid" });
    else if (letter === "u") lab.setView({ uncertainty: !lab.view.uncertainty });
    else if (event.key === "Escape" && !this.root.querySelector(".lab-help").hidden) this.toggleHelp();
    else return;
    event.preventDefault();
  }

  // What stands in them ----------------------------------------------------------------------------------------

  show() {
    const { state, view, entry } = this.lab;
    const { now, level } = state;
    if (this.shown !== now) {
      this.showNumbers(now, level);
      if (this.why.classList.contains("lab-problem") && this.refusedAt !== now) this.explain("");
    }
    this.shown = now;
    const pressed = {
      "grid": view.layout === "grid", "blend": view.layout === "blend",
      "probability": !view.uncertainty, "uncertainty": view.uncertainty,
      "errors": view.errors, "plain": !view.errors,
      "of-picture": !view.ofData, "of-data": view.ofData,
      "log": view.log, "hysteresis": now.low !== null,
    };
    for (const [name, on] of Object.entries(pressed)) this.press(this.buttons[name], on);
    this.enable(this.buttons.undo, state.past.length || !same(now, state.settled));
    this.enable(this.buttons.redo, state.future.length);
    const usable = Boolean(this.lab.sweep());
    this.root.classList.toggle("lab-can-measure", usable);
    hide(this.source, !(this.lab.usableDataSet() && entry.sweep));
    if (this.chosen && now.threshold !== this.chosenAt) {
      this.chosen = null;
      this.explain("");
    }
    for (const [name, { button }] of this.choices) this.press(button, name === this.chosen);
    if (this.shownView !== JSON.stringify(view)) this.showView(view);
  }

  /** What changes only with the way things are looked at. */
  showView(view) {
    this.shownView = JSON.stringify(view);
    const fill = (selector, words) => {
      for (const node of this.root.querySelectorAll(selector)) node.textContent = words;
    };
    fill(".lab-least", view.uncertainty ? text("sure") : "0");
    fill(".lab-most", view.uncertainty ? text("unsure") : "1");
    fill(".lab-map-name", text(view.uncertainty ? "uncertainty" : "probability"));
    for (const input of this.root.querySelectorAll("[data-opacity]")) {
      const value = view[input.dataset.opacity];
      input.value = value;
      input.style.setProperty("--at", value + "%");
      input.nextElementSibling.textContent = value + " %";
    }
  }

  showNumbers(now, level) {
    this.slider.value = level;
    this.slider.setAttribute("aria-valuetext", shownThreshold(now.threshold));
    setWords(this.level, text("level", { level }));
    for (const input of this.numbers) {
      const value = now[input.dataset.number];
      input.value = value === null ? "" : input.max === "1" ? shownThreshold(value) : value;
    }
    for (const input of this.sizes) {
      input.value = this.percentOf(now[input.dataset.size]);
      input.style.setProperty("--at", input.value + "%");
    }
    hide(this.low, now.low === null);
  }

  press(button, on) {
    if (button.getAttribute("aria-pressed") !== String(on)) button.setAttribute("aria-pressed", String(on));
  }

  enable(button, on) {
    if (button.disabled === Boolean(on)) button.disabled = !on;
  }
}
