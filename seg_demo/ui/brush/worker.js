// Worker: packs planes, which takes too long to do between two strokes.

onmessage = async ({ data: { number, plane, width } }) => {
  try {
    const packed = await packPlane(plane, width);
    postMessage({ number, packed }, [packed.bytes.buffer]);
  } catch (error) {
    postMessage({ number, why: String(error) });
  }
};
