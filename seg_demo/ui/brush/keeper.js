// Keeper: puts work that is not saved on the shelf, soon after each step, and finds it there again.

const KEEP_PAUSE = 600; // ms after a step

class Keeper {
  /** busy(): whether a stroke is underway. done(): something was kept. */
  constructor(on) {
    this.on = on;
    this.shelf = new Shelf();
    this.packing = new Packing();
    this.underway = new Map(); // key of a picture -> promise
  }

  soon(work) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.on.busy() ? this.soon(work) : this.keep(work).catch(() => {})), KEEP_PAUSE);
  }

  /** Resolves to {bytes, version, edits}. Work that is as it was saved, after all, is not kept, and not `dirty` any more. */
  keep(work) {
    clearTimeout(this.timer);
    const { key } = work.value;
    const kept = this.put(work).finally(() => this.underway.get(key) === kept && this.underway.delete(key));
    this.underway.set(key, kept);
    return kept;
  }

  async put(work) {
    const { edits, base, plane, value } = work;
    const { key, width, height } = value;
    const { bytes, version } = await this.packing.pack(plane.data, width);
    if (version === base || (!base && !plane.labelled)) {
      if (work.edits === edits) work.savedEdits = edits;
      await this.shelf.remove(key);
    } else if (work.savedEdits !== edits) {
      await this.shelf.put({ key, base, version, bytes, width, height, when: Date.now() });
    }
    work.keptEdits = edits;
    this.on.done();
    return { bytes, version, edits };
  }

  forget(work) {
    return this.shelf.remove(work.value.key);
  }

  /** What was not saved when the picture was last looked at: {data, base}, or null. */
  async find(value) {
    await this.underway.get(value.key)?.catch(() => {});
    const kept = await this.shelf.get(value.key);
    if (!kept) return null;
    if (kept.version === value.version || !sameSize(kept, value)) {
      await this.shelf.remove(value.key);
      return null;
    }
    try {
      const data = await unpackPlane(kept.bytes, value);
      return { data: withoutStrangers(data, value.classes.length), base: kept.base };
    } catch {
      return null;
    }
  }
}
