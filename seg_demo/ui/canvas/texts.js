// Language: the browser's first one that we speak, else English.

const LANGUAGE = (navigator.languages || [navigator.language || "en"])
  .map((tag) => tag.toLowerCase().split("-")[0])
  .find((tag) => tag in TEXTS) || "en";

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
