// Icons: one drawing for each state, so that nothing depends on colour alone.

const DRAWINGS = {
  "local only": "M3 4.5h10v6H3zM1.5 13h13",
  "remote only": "M4.5 12.5a3 3 0 0 1 .2-6 3.8 3.8 0 0 1 7.3.9 2.6 2.6 0 0 1-.4 5.1z",
  equal: "M3 8.5 6.5 12 13 4.5",
  "local newer": "M8 13V3.5M4 7l4-4 4 4",
  "remote newer": "M8 3v9.5M4 9l4 4 4-4",
  diverged: "M5 13V3.5M2 6.5l3-3 3 3M11 3v9.5M8 9.5l3 3 3-3",
  unknown: "M6 6a2 2 0 1 1 2.9 1.8c-.7.4-.9.8-.9 1.6M8 12v.6",
  unasked: "M4 8h.6M7.7 8h.6M11.4 8h.6",
  lock: "M4 7.5h8v5.5H4zM5.5 7.5V5.3a2.5 2.5 0 0 1 5 0v2.2",
};

function icon(name) {
  const drawing = node("svg", { viewBox: "0 0 16 16", class: "shelf-icon", "aria-hidden": "true" });
  drawing.append(node("path", { d: DRAWINGS[name] }));
  return drawing;
}
