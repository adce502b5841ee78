// Codec: fetches the planes of one picture and undoes what component.py did, to the exact integers.

/** picture: {width, height, planes: {url}, meta: {planes: names}}. Returns {planes: (H*W) Uint8Array each, timing}. */
async function fetchPlanes(picture) {
  const started = performance.now();
  const response = await fetch(picture.planes.url);
  if (!response.ok) throw new Error("HTTP " + response.status);
  const packed = await response.blob();
  const fetched = performance.now();
  const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = picture.width * picture.height;
  if (bytes.length !== size * picture.meta.planes.length) {
    throw new Error(bytes.length + " ≠ " + size * picture.meta.planes.length);
  }
  const planes = picture.meta.planes.map((_, index) => bytes.subarray(index * size, (index + 1) * size));
  for (const plane of planes) undoRowDelta(plane, picture.width);
  const timing = { fetch_ms: round1(fetched - started), inflate_ms: round1(performance.now() - fetched) };
  return { planes, timing };
}

/** In place; the Uint8Array wraps modulo 256 as NumPy's uint8 did. */
function undoRowDelta(plane, width) {
  for (let i = width; i < plane.length; i++) plane[i] += plane[i - width];
}

/** The photo as a decoded <img>. */
async function fetchImage(picture) {
  const image = new Image();
  image.src = picture.image.url;
  image.alt = "";
  image.draggable = false;
  await image.decode().catch(() => {
    throw new Error(text("picture"));
  });
  return image;
}

function histogram(plane) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < plane.length; i++) counts[plane[i]]++;
  return counts;
}

function round1(milliseconds) {
  return Math.round(milliseconds * 10) / 10;
}
