// Pack: a label plane as it travels and as it is kept - the difference to the row above, gzipped.
// The worker has this file as well.

/** plane: (H*W) Uint8Array, which is used up. Resolves to {bytes: Uint8Array, version}. */
async function packPlane(plane, width) {
  for (let i = plane.length - 1; i >= width; i--) plane[i] -= plane[i - width];
  const stream = new Blob([plane]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return { bytes, version: versionOf(bytes) };
}

/** What tells one plane from another: the checksum near the end of its gzip file. */
function versionOf(bytes) {
  const checksum = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8, 4);
  return checksum.getUint32(0, true).toString(16).padStart(8, "0");
}
