// Head: what the run is doing, how far it is, and what it takes.

const BUSY = ["waiting", "starting", "running", "stopping"];

class Head {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    this.state = find(".watch-state");
    this.name = find(".watch-name");
    this.percent = find(".watch-percent");
    this.bar = find(".watch-bar");
    this.sentence = find(".watch-sentence");
    this.pictures = find(".watch-pictures");
    this.short = find(".watch-short");
    this.values = [...root.querySelectorAll(".watch-facts [data-value]")];
  }

  show(document, state, name) {
    const { kind } = state;
    this.root.dataset.kind = kind;
    setWords(this.state, kind === "waiting" ? waiting(state.position) : text("state_" + kind));
    setWords(this.name, name);
    this.name.title = name;
    setWords(this.sentence, state.sentence || "");
    hide(this.sentence, !state.sentence);
    const share = within(document.share);
    const percent = Math.floor(100 * share + 1e-9); // 100 % is for what is done
    setWords(this.percent, `${percent} %`);
    this.bar.firstChild.style.transform = `scaleX(${share})`;
    this.bar.setAttribute("aria-valuenow", percent);
    const facts = this.facts(document, kind);
    for (const value of this.values) setWords(value, facts[value.dataset.value]);
    this.notes(document);
  }

  facts(document, kind) {
    const { step, steps_in_all: steps, epoch, seconds, left, device, precision } = document;
    const begun = known(step) > 0;
    const either = (value, shown) => (begun ? shown(value) : NONE);
    return {
      step: begun && known(steps) > 0 ? `${whole(step)} / ${whole(steps)}` : either(step, whole),
      epoch: either(epoch, (value) => (known(value) === null ? NONE : value < 100 ? value.toFixed(1) : whole(value))),
      time: either(seconds, duration),
      left: begun && BUSY.includes(kind) ? duration(left) : NONE,
      speed: either(document.images_per_second, amount),
      learning_rate: either(document.learning_rate, amount),
      memory: bytes(document.memory),
      device: [device, precision].filter(Boolean).join(" · ") || NONE,
    };
  }

  notes({ pictures, drawn, validation, memory_short: short }) {
    const told = known(pictures) > 0 || known(drawn) > 0;
    const values = { pictures: whole(pictures), drawn: whole(drawn), validation: whole(validation) };
    setWords(this.pictures, told ? text(known(drawn) > 0 ? "pictures_drawn" : "pictures", values) : "");
    hide(this.pictures, !told);
    const last = short?.at(-1);
    setWords(this.short, last ? text("memory_short", { step: whole(last.step), parts: whole(last.parts) }) : "");
    hide(this.short, !last);
  }
}

function waiting(position) {
  const n = known(position) ?? 0;
  return n < 1 ? text("waiting_next") : n === 1 ? text("waiting_one") : text("waiting_many", { n: whole(n) });
}
