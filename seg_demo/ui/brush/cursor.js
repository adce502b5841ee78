// Cursor: the outline of the brush where the pointer is, the very pixels that it would paint.

class Cursor {
  /** node: a <g> with paths that take the outline. */
  constructor(node) {
    this.node = node;
    this.size = 0;
  }

  /** at: [x, y] in image pixels, or null; color: of the class, or null for the eraser. */
  show(at, size, color, view) {
    hide(this.node, !at);
    this.node.style.display = at ? "" : "none";
    if (!at) return;
    if (size !== this.size) {
      this.size = size;
      for (const path of this.node.children) path.setAttribute("d", outlineOf(brushRows(size)));
    }
    const [x, y] = brushCorner(size, ...at);
    const { scale } = view;
    this.node.setAttribute("transform", `translate(${view.x + x * scale} ${view.y + y * scale}) scale(${scale})`);
    this.node.style.setProperty("--color", css(color));
  }
}

/** Down along the right ends of the rows, and up again along the left ones. */
function outlineOf(rows) {
  const down = rows.map(([, to], y) => `H${to}V${y + 1}`).join("");
  const up = rows.map(([from], y) => `H${from}V${y}`).reverse().join("");
  return `M${rows[0][0]} 0${down}${up}Z`;
}
