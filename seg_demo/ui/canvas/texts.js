// Language: as the page around the canvas has it. Gradio looks at the browser's first language only, and of the names
// of Chinese it knows these two.
const FIRST = navigator.language || "en";
const LANGUAGE = /^zh-(CN|TW)$/i.test(FIRST) ? "zh" : /^ja\b/i.test(FIRST) ? "ja" : "en";

/** The text `name` with {placeholders} filled from `values`. */
function text(name, values = {}) {
  const found = TEXTS[LANGUAGE][name] ?? TEXTS.en[name];
  return found.replace(/\{(\w+)\}/g, (_, slot) => values[slot]);
}

/** Fills the static template: data-text, data-label (read aloud) and data-title (tooltip and read aloud). */
function fillTexts(root) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  for (const node of root.querySelectorAll("[data-title]")) {
    node.title = text(node.dataset.title);
    node.setAttribute("aria-label", node.title);
  }
}

const NUMBER = new Intl.NumberFormat(LANGUAGE);
const MEASURE = new Intl.NumberFormat(LANGUAGE, { maximumSignificantDigits: 3 });

/** A share as "12.3 %"; something that is there never reads 0.0 %. */
function share(count, total) {
  const percent = (100 * count) / total;
  return count > 0 && percent < 0.05 ? "< 0.1 %" : percent.toFixed(1) + " %";
}
