// Handle: starts the component, and what the page, tests and other scripts may ask of it.
// `element`, `props` and `watch` come from Gradio.

function start(root) {
  const shown = new Watch(root);
  // The documented handle for the page, for tests and for other scripts.
  root.segWatch = {
    /** The value that is shown, or null. */
    value: () => shown.value,
    /** How often each part was drawn. */
    drawn: () => ({ ...shown.drawn }),
    /** Reads the curves at a step; null for the newest. */
    point: (step) => shown.curves.point(step),
    /** {step, following, picked, playing, loaded} of the pictures. */
    film: () => {
      const { film } = shown;
      const loaded = [...film.loader.images.values()].filter(({ done }) => done).length;
      return { step: film.steps[film.index] ?? null, following: film.following, picked: film.picked, playing: Boolean(film.playing), loaded };
    },
  };
  const update = () => shown.setValue(props.value ? JSON.parse(JSON.stringify(props.value)) : null);
  watch("value", update);
  update();
}

start(element.querySelector(".seg-watch"));
