// Tip: the label that follows the pointer - which class is here, and how sure the model was.

class Tip {
  constructor(node) {
    this.node = node;
    this.at = null; // [x, y] on the stage, or null: the pointer is elsewhere
  }

  /** found: {id, value} as Painter.at gives it, or null; stageWidth keeps the tip inside. */
  show(found, classes, stageWidth) {
    this.node.hidden = !found;
    if (!found) return;
    const entry = classes.find((other) => other.id === found.id);
    const percent = Math.round((100 * found.value) / 255);
    this.node.firstElementChild.style.setProperty("--color", css(entry?.color));
    this.node.lastElementChild.textContent = entry ? `${entry.name} ${percent} %` : text("unlabelled");
    const [x, y] = this.at;
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const left = x + 16 + width < stageWidth ? x + 16 : Math.max(4, x - width - 12);
    const top = y - height - 10 > 0 ? y - height - 10 : y + 20;
    this.node.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
