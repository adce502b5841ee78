// Handle: starts the painter, and what the page, tests and other scripts may ask of it.
// `element`, `props`, `trigger` and `watch` come from Gradio.

function start(root) {
  const painter = new Painter(root, (name, data) => trigger(name, data));
  // The documented handle for the page, for tests and for other scripts.
  root.segBrush = {
    /** What is shown and how far it is; `dirty`: not saved, `kept`: this browser has all of it. */
    state: () => painter.state(),
    /** (H*W) Uint8Array of class ids, 255 = not labelled; not to be written to. */
    labels: () => painter.work?.plane.data ?? null,
    counts: () => painter.work?.plane.counts ?? null,
    /** Page coordinates of an image point, and back. */
    toPage: (x, y) => painter.toPage(x, y),
    /** Takes over a whole plane, as one step. */
    merge: (labels, all = true) => painter.work && painter.change((plane) => plane.merge(labels, all)),
    /** Whether nothing is on its way to the server or to where this browser keeps things. */
    idle: () => !painter.work?.sending && !painter.keeper.underway.size,
    save: (go = "stay") => painter.work && painter.save(go),
  };
  const update = () => painter.setValue(JSON.parse(JSON.stringify(props.value || null)));
  watch("value", update);
  update();
  // Gradio marks the box around a component that waits for the server.
  const box = root.closest(".html-container");
  const working = () => {
    const pending = box.classList.contains("pending");
    painter.setWorking(pending);
    if (!pending && painter.failed) update(); // the same value again is not announced
  };
  if (box) new MutationObserver(working).observe(box, { attributes: true, attributeFilter: ["class"] });
}

start(element.querySelector(".seg-brush"));
