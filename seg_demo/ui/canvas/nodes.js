// Nodes: elements of the page made by the scripts.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, name, content = "") {
  const node = document.createElement(tag);
  node.className = name;
  node.textContent = content; // names are the user's: text, never markup
  return node;
}

/** An element of a drawing. */
function node(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function swatch(color) {
  const node = make("i", "sc-swatch" + (color ? "" : " sc-hatched"));
  node.style.setProperty("--color", css(color));
  return node;
}

function css(color) {
  return color ? `rgb(${color.map(Number).join(" ")})` : "transparent";
}

/** Words that may change in every frame; the text node stays, which spares the browser a new one each time. */
function setWords(node, words) {
  if (node.firstChild) {
    if (node.firstChild.data !== words) node.firstChild.data = words;
  } else node.textContent = words;
}

/** A bar that travels while something is awaited. Gradio nests the style sheet in a rule, where @keyframes cannot be. */
function travelling(bar) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return { play() {}, pause() {} };
  const travel = bar.animate([{ left: "-38%" }, { left: "100%" }], { duration: 1400, iterations: Infinity });
  travel.pause(); // a hidden one would still cost a frame sixty times a second
  return travel;
}

/** Only what changes: the browser would look at the styles again for an attribute that is set to what it is. */
function hide(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}
