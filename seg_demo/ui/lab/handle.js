// Handle: starts the laboratory, and what the page, tests and other scripts may ask of it.
// `element`, `props` and `watch` come from Gradio.

function start(root) {
  const lab = new Lab(root);
  // The documented handle for the page, for tests and for other scripts.
  root.segLab = {
    /** The threshold and the filters, as the server takes them. */
    state: () => {
      const { threshold, low, smallestObject, smallestHole } = lab.state.now;
      return { threshold, low, smallest_object: smallestObject, smallest_hole: smallestHole, level: lab.state.level };
    },
    /** Sets any of threshold, low, smallestObject, smallestHole. */
    set: (values) => lab.change(values),
    /** {pixels, objects, largest, tp, fp, ...} at a level (by default the present one); objects may still be null. */
    figures: (level = lab.level) => ({
      pixels: lab.entry.kept[level],
      objects: lab.entry.objects ? (lab.entry.objects.objects[level] ?? 0) : null,
      largest: lab.entry.objects ? (lab.entry.objects.largest[level] ?? 0) : null,
      ...lab.entry.sweep?.at(level),
    }),
    /** The same of the data set, without pixels and objects. */
    dataFigures: (level = lab.state.level) => lab.dataSet?.sweep.at(level) ?? null,
    /** The level that a choice finds, or its problem. */
    choose: (name, value) => CHOICES[name].find(lab, value),
    /** The page's address leads here again, after another tab has taken it. */
    remember: () => lab.remember(),
    link: () => (lab.entry ? lab.state.address(lab.entry.picture.meta.link) : ""),
    /** Whether all of what was last asked for is there and drawn. */
    ready: () => Boolean(lab.entry) && lab.entry.id === lab.wanted && !lab.filtering.busy && !lab.scheduled,
    shown: () => lab.entry && { name: lab.entry.picture.name, ...lab.entry.picture.meta, colormap: undefined },
    sweep: (counts) => new Sweep(counts),
  };
  const update = () => lab.setValue(JSON.parse(JSON.stringify(props.value || {})));
  watch("value", update);
  update();
  // Gradio marks the box around a component that waits for the server.
  const box = root.closest(".html-container");
  const working = () => {
    const pending = box.classList.contains("pending");
    lab.setWorking(pending);
    if (!pending && lab.failed) update(); // the same value again is not announced
  };
  if (box) new MutationObserver(working).observe(box, { attributes: true, attributeFilter: ["class"] });
}

start(element.querySelector(".seg-lab"));
