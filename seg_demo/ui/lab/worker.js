// Worker: what runs beside the page, so that a filter of a large picture does not hold up the slider.

let held = null; // {plane, width, height}
let filtered = null;

onmessage = ({ data }) => {
  if (data.plane) held = data;
  const { plane, width, height } = held;
  if (data.filters) {
    const { low, smallestObject, smallestHole } = data.filters;
    const off = low === null && smallestObject < 2 && smallestHole < 2;
    filtered = off ? plane : effectivePlane(plane, width, height, data.filters);
    postMessage({ ticket: data.ticket, plane: filtered });
  }
  if (data.count) postMessage({ ticket: data.ticket, objects: objectSweep(filtered, width, height) });
};
