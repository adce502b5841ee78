// Settings: what the user chose. They outlive a new value, a reload and Gradio taking the component down and up.

class Settings {
  /** key: one per canvas of the page. */
  constructor(key) {
    this.key = "seg-canvas:" + key;
    this.opacity = 55; // percent
    this.outlined = false;
    this.choices = new Map(); // class name -> shown? Names, so that a choice outlives one set of classes
    try {
      const { opacity, outlined, choices } = JSON.parse(sessionStorage.getItem(this.key));
      Object.assign(this, { opacity: Number(opacity), outlined: Boolean(outlined), choices: new Map(choices) });
    } catch {
      // Nothing stored yet, or the browser forbids it: the defaults stand.
    }
  }

  save() {
    try {
      const { opacity, outlined, choices } = this;
      sessionStorage.setItem(this.key, JSON.stringify({ opacity, outlined, choices: [...choices] }));
    } catch {
      // A private window may refuse; the settings then last as long as the page.
    }
  }
}
