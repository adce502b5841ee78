// Nodes: elements of the page made by the scripts.

function make(tag, name, content = "") {
  const node = document.createElement(tag);
  node.className = name;
  node.textContent = content; // names are the user's: text, never markup
  return node;
}

function swatch(color) {
  const node = make("i", "sc-swatch" + (color ? "" : " sc-hatched"));
  node.style.setProperty("--color", css(color));
  return node;
}

function css(color) {
  return color ? `rgb(${color.map(Number).join(" ")})` : "transparent";
}
