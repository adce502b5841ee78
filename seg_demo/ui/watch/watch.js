// Watch: holds the run that is shown and hands each part what concerns it, only where that is not as it was.

// A document of a run that has not begun may lack anything.
const BLANK = {
  classes: [], validations: [], resumed: [], memory_short: [], log: [], best: null,
  steps: { step: [], loss: [], learning_rate: [] },
};

class Watch {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    fillTexts(root);
    for (const hinted of root.querySelectorAll("[data-hint]")) hinted.title = text(hinted.dataset.hint);
    this.head = new Head(find(".watch-head"));
    this.curves = new Curves(find(".watch-curves"));
    this.bars = new Bars(find(".watch-classes"), { highlight: (index) => this.curves.highlight(index) });
    this.film = new Film(find(".watch-film"));
    this.log = new Log(find(".watch-log"));
    this.keys = {};
    this.drawn = {}; // how often each part was drawn
  }

  setValue(value) {
    this.value = value;
    this.root.dataset.state = value ? "ready" : "empty";
    if (!value) {
      this.name = null;
      return;
    }
    const { name, state, samples } = value;
    const document = { ...BLANK, ...value.document };
    if (name !== this.name) this.restart(name);
    const { classes, validations, best, steps, step, epoch, resumed, pictures, drawn, validation } = document;
    // Before a run has begun, none of its pictures have been counted.
    const begun = [pictures, drawn, step].some((count) => known(count) > 0);
    const unmeasured = (document.unmeasured = begun && validation === 0);
    this.part("head", [state, { ...document, steps: 0, validations: 0, log: 0 }], () => this.head.show(document, state, name));
    this.part("curves", [classes, validations, best, steps, resumed, unmeasured], () => this.curves.setDocument(document));
    this.part("bars", [classes, validations.at(-1), best, unmeasured], () => this.bars.show(document));
    const epochs = known(epoch) > 0 && known(step) > 0 ? Number((epoch / step).toPrecision(6)) : null;
    this.part("film", [samples, best, unmeasured, epochs], () => this.film.setSamples(samples, document, epochs));
    this.part("log", document.log, () => this.log.show(document.log));
  }

  restart(name) {
    this.name = name;
    this.keys = {};
    this.film.restart();
    this.log.restart();
    this.curves.restart();
  }

  part(name, from, draw) {
    const key = JSON.stringify(from);
    if (this.keys[name] === key) return;
    this.keys[name] = key;
    this.drawn[name] = (this.drawn[name] || 0) + 1;
    draw();
  }
}
