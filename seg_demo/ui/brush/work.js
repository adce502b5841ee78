// Work: one picture in the painter, and how much of what was done to it is saved, and kept in this browser.

class Work {
  /** value: as Python sent it. base: version of the saved label map that this began with. edits: steps of the visitor. */
  constructor(value, image, plane, base, edits) {
    Object.assign(this, { value, image, plane, base, edits });
    this.savedEdits = 0; // as many as there were when it was last saved
    this.keptEdits = edits;
    this.sent = null; // {version, edits}: what the server was asked to save
    this.sending = false;
    this.draft = null; // (H*W) Uint8Array, once it was fetched
    this.draftWanted = null; // what to do with a prediction that is on its way
  }

  get dirty() {
    return this.edits !== this.savedEdits;
  }

  get kept() {
    return this.keptEdits === this.edits;
  }

  /** What an event tells. */
  get which() {
    const { key, name } = this.value;
    return { key, name };
  }

  /** Whether there is a picture to go to: "next" or "previous". */
  reaches(go) {
    const { place } = this.value;
    return Boolean(place) && (go === "next" ? place[0] < place[1] : place[0] > 1);
  }
}

function sameSize(one, other) {
  return one.width === other.width && one.height === other.height;
}

/** One of a picture's planes, (H*W) Uint8Array, or null where there is none. */
async function fetchPlane(value, name) {
  if (!value[name]) return null;
  const { width, height } = value;
  const { planes } = await fetchPlanes({ width, height, planes: value[name], meta: { planes: [name] } });
  return planes[0];
}

async function unpackPlane(bytes, { width, height }) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const plane = new Uint8Array(await new Response(stream).arrayBuffer());
  if (plane.length !== width * height) throw new Error(plane.length + " ≠ " + width * height);
  undoRowDelta(plane, width);
  return plane;
}

/** In place: classes that are no more. */
function withoutStrangers(plane, classes) {
  for (let i = 0; i < plane.length; i++) if (plane[i] >= classes) plane[i] = UNLABELLED;
  return plane;
}
