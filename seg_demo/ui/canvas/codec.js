// Codec: fetches the planes of one picture and undoes what payload.py did, to the exact integers.

/**
 * Returns {key, confidence, histogram, timing}.
 * key: (H*W) Uint8Array the painter looks colours up with: class ids, or for "binary" the probability of class 1
 * confidence: (H*W) Uint8Array, the probability of the pixel's class, or null for "binary" (it follows from key)
 * histogram: (256) number of pixels per value of key
 */
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
  return { key: planes[0], confidence: planes[1] || null, histogram: histogram(planes[0]), timing };
}

/** In place; the Uint8Array wraps modulo 256 as NumPy's uint8 did. */
function undoRowDelta(plane, width) {
  for (let i = width; i < plane.length; i++) plane[i] += plane[i - width];
}

function histogram(plane) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < plane.length; i++) counts[plane[i]]++;
  return counts;
}

function round1(milliseconds) {
  return Math.round(milliseconds * 10) / 10;
}
