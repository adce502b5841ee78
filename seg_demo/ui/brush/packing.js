// Packing: planes are packed in a worker, or here where the browser allows none.

class Packing {
  constructor() {
    this.waiting = new Map(); // number -> {resolve, reject}
    this.number = 0;
    try {
      this.worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
      this.worker.onmessage = ({ data }) => this.done(data);
      this.worker.onerror = () => this.broken();
    } catch {
      this.worker = null;
    }
  }

  /** plane: (H*W) Uint8Array, copied at once. Resolves to {bytes, version}. */
  pack(plane, width) {
    const copy = plane.slice();
    if (!this.worker) return packPlane(copy, width);
    const number = ++this.number;
    return new Promise((resolve, reject) => {
      // The plane is kept until the answer is here, for a worker that breaks on the way.
      this.waiting.set(number, { resolve, reject, again: () => packPlane(plane.slice(), width) });
      this.worker.postMessage({ number, plane: copy, width }, [copy.buffer]);
    });
  }

  done({ number, packed, why }) {
    const { resolve, reject } = this.waiting.get(number);
    this.waiting.delete(number);
    if (packed) resolve(packed);
    else reject(new Error(why));
  }

  broken() {
    this.worker = null;
    for (const { resolve, reject, again } of this.waiting.values()) again().then(resolve, reject);
    this.waiting.clear();
  }
}

/** Bytes as text in JSON. */
function base64(bytes) {
  const parts = [];
  for (let i = 0; i < bytes.length; i += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(i, i + 0x8000)));
  return btoa(parts.join(""));
}
