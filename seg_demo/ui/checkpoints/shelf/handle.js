// Handle: starts the component, and what the page, tests and other scripts may ask of it.
// `element`, `props`, `trigger` and `watch` come from Gradio.

function start(root) {
  const shelf = new ShelfList(root, {
    choose: (key) => trigger("choose", { key }),
    ask: () => trigger("ask"),
    leave: () => trigger("leave"),
  });
  // The documented handle for the page, for tests and for other scripts.
  root.segShelf = {
    /** The value that is shown, or null. */
    value: () => shelf.value,
    /** The key of the row that is chosen, or null. */
    chosen: () => shelf.chosen,
  };
  const update = () => shelf.setValue(props.value ? JSON.parse(JSON.stringify(props.value)) : null);
  watch("value", update);
  update();
}

start(element.querySelector(".seg-shelf"));
