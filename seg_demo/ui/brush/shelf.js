// Shelf: work that is not saved yet, kept in the visitor's browser until it is.

const SHELF = "seg-brush";
const MOST_KEPT = 40; // pictures
const MOST_KEPT_BYTES = 64 * 2 ** 20;

/** A work is {key, base, version, bytes, width, height, when}; base: version of the saved label map it began with. */
class Shelf {
  constructor() {
    this.memory = new Map(); // where the browser keeps nothing: as long as the page
    this.lasting = true;
    this.database = new Promise((resolve) => {
      try {
        const opening = indexedDB.open(SHELF, 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore("work", { keyPath: "key" });
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = opening.onblocked = () => resolve(null);
      } catch {
        resolve(null);
      }
    });
  }

  async put(work) {
    const kept = await this.ask("readwrite", (store) => store.put(work));
    this.lasting = kept !== undefined;
    if (this.lasting) await this.tidy();
    else this.memory.set(work.key, work);
  }

  async get(key) {
    return this.memory.get(key) || (await this.ask("readonly", (store) => store.get(key)));
  }

  async remove(key) {
    this.memory.delete(key);
    await this.ask("readwrite", (store) => store.delete(key));
  }

  /** The oldest go first. */
  async tidy() {
    const all = (await this.ask("readonly", (store) => store.getAll())) || [];
    let bytes = 0;
    all.sort((one, other) => other.when - one.when);
    for (const [index, work] of all.entries()) {
      bytes += work.bytes.length;
      if (index && (index >= MOST_KEPT || bytes > MOST_KEPT_BYTES)) await this.remove(work.key);
    }
  }

  /** The result of a request, or undefined where there is none or the browser refuses. */
  async ask(mode, request) {
    const database = await this.database;
    return new Promise((resolve) => {
      try {
        const transaction = database.transaction("work", mode);
        const asked = request(transaction.objectStore("work"));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onabort = transaction.onerror = () => resolve(undefined);
      } catch {
        resolve(undefined);
      }
    });
  }
}
