// Components: what filters and hysteresis make of a plane of quantised probabilities, for all levels at once.
// A pixel is in the mask at level t iff its value is >= t. Hysteresis, "no small objects" and "no small holes" commute
// with that comparison, so they can be applied to the grey values: one new plane holds the masks of every level, and
// moving the level costs nothing. Objects are 8-connected, holes 4-connected and away from the picture's border.
//
// Pixels are taken from the highest value to the lowest and joined to the neighbours taken before them (Meijster &
// Wilkinson, "A comparison of algorithms for connected set openings and closings", PAMI 2002). Planes have a border of
// one pixel of value 0, which is never taken, so no pixel has to ask whether it has a neighbour.

const CORNERS = 0b01010101; // of the ring of 8 neighbours, see ringSteps
const NEAR = { objects: nearOnes(true), holes: nearOnes(false) };

/**
 * Returns (H*W) Uint8Array g: for every level t from 1 to 255, g >= t is the mask at level t.
 * plane: (H*W) Uint8Array; low: the lower level of the hysteresis (objects of plane >= low that hold a value >= t;
 * where t < low, t counts as low), or null; objects with fewer than smallestObject pixels are removed, then holes with
 * fewer than smallestHole are filled; 0 and 1 switch a filter off.
 */
function effectivePlane(plane, width, height, { low = null, smallestObject = 0, smallestHole = 0 } = {}) {
  const padded = padPlane(plane, width, height);
  if (low !== null) raiseObjects(padded, width, height, low, smallestObject);
  else if (smallestObject > 1) areaOpening(padded, width, height, smallestObject, NEAR.objects);
  if (smallestHole > 1) {
    invertPlane(padded, width, height);
    areaOpening(padded, width, height, smallestHole, NEAR.holes);
    invertPlane(padded, width, height);
  }
  return cropPlane(padded, width, height);
}

/**
 * Returns {objects, largest}, (256) Uint32Array each: number of objects of plane >= t, and pixels of the largest one.
 * plane: (H*W) Uint8Array.
 */
function objectSweep(plane, width, height) {
  const objects = new Uint32Array(256);
  const largest = new Uint32Array(256);
  const padded = padPlane(plane, width, height);
  const { order, starts } = sortPixels(padded, width);
  const ring = ringSteps(width);
  const parent = new Int32Array(padded.length); // where to look for the root; at a root, minus the object's pixels
  let count = 0;
  let most = 0;
  for (let level = 255; level > 0; level--) {
    count += starts[level - 1] - starts[level];
    for (let i = starts[level]; i < starts[level - 1]; i++) {
      const pixel = order[i];
      let root = pixel;
      parent[pixel] = -1;
      for (let near = NEAR.objects[takenAround(padded, pixel, width + 2)]; near; near &= near - 1) {
        let other = findRoot(parent, pixel + ring[31 - Math.clz32(near & -near)]);
        if (other === root) continue;
        if (parent[other] < parent[root]) [root, other] = [other, root];
        parent[root] += parent[other];
        parent[other] = root;
        count--;
      }
      if (-parent[root] > most) most = -parent[root];
    }
    objects[level] = count;
    largest[level] = most;
  }
  objects[0] = plane.length ? 1 : 0; // every pixel is >= 0
  largest[0] = plane.length;
  return { objects, largest };
}

/** In place: objects of plane >= low take their highest value; all else, and those below `smallest`, become 0. */
function raiseObjects(padded, width, height, low, smallest) {
  const stride = width + 2;
  const ring = ringSteps(width);
  const waiting = new Uint8Array(padded.length);
  for (let y = 1; y <= height; y++) {
    for (let i = y * stride + 1; i <= y * stride + width; i++) waiting[i] = Number(padded[i] >= low);
  }
  const queue = new Int32Array(width * height);
  for (let first = stride + 1; first < padded.length - stride; first++) {
    if (!waiting[first]) {
      if (padded[first] < low) padded[first] = 0;
      continue;
    }
    let size = 1;
    let highest = 0;
    queue[0] = first;
    waiting[first] = 0;
    for (let next = 0; next < size; next++) {
      const pixel = queue[next];
      if (padded[pixel] > highest) highest = padded[pixel];
      for (let k = 0; k < 8; k++) {
        const neighbour = pixel + ring[k];
        if (!waiting[neighbour]) continue;
        waiting[neighbour] = 0;
        queue[size++] = neighbour;
      }
    }
    const value = size < smallest ? 0 : highest;
    for (let next = 0; next < size; next++) padded[queue[next]] = value;
  }
}

/**
 * In place: every pixel takes the highest level at which its object has `wanted` pixels, or 0 (Vincent, "Grayscale area
 * openings and closings", 1993).
 * near: NEAR.objects or NEAR.holes; of the latter, pieces at the picture's border count as large enough.
 */
function areaOpening(padded, width, height, wanted, near) {
  const smallest = Math.min(wanted, width * height + 1); // sums of two stay within 32 bits
  const stride = width + 2;
  const { order, starts } = sortPixels(padded, width);
  const ring = ringSteps(width);
  // At a root minus the piece's pixels, or minus `smallest` where there are at least so many: then the value is final.
  const parent = new Int32Array(padded.length).fill(-1);
  if (near === NEAR.holes) {
    parent.fill(-smallest, stride + 1, 2 * stride - 1).fill(-smallest, height * stride + 1, (height + 1) * stride - 1);
    for (let y = 1; y <= height; y++) parent[y * stride + 1] = parent[y * stride + width] = -smallest;
  }
  for (let level = 255; level > 0; level--) {
    for (let i = starts[level]; i < starts[level - 1]; i++) {
      const pixel = order[i];
      let root = pixel;
      for (let around = near[takenAround(padded, pixel, stride)]; around; around &= around - 1) {
        let other = findRoot(parent, pixel + ring[31 - Math.clz32(around & -around)]);
        if (other === root) continue;
        if (parent[other] === -smallest) {
          parent[root] = -smallest;
          continue;
        }
        // A root has the lowest value of its piece; among equals the older one stays, so that paths stay short.
        if (padded[other] === level) [root, other] = [other, root];
        parent[root] = Math.max(parent[root] + parent[other], -smallest);
        parent[other] = root;
      }
    }
  }
  for (let pixel = 0; pixel < padded.length; pixel++) {
    if (!padded[pixel]) continue;
    const root = findRoot(parent, pixel);
    padded[pixel] = parent[root] === -smallest ? padded[root] : 0;
  }
}

function findRoot(parent, pixel) {
  while (parent[pixel] >= 0) {
    const next = parent[pixel];
    if (parent[next] < 0) return next;
    pixel = parent[pixel] = parent[next]; // halves the path for the next one who comes this way
  }
  return pixel;
}

/**
 * Which of the pixel's 8 neighbours were taken before it: a bit each, in the order of ringSteps. Those before it in
 * the picture may have its own value, those after it a higher one. The sign of a difference is a bit without a branch.
 */
function takenAround(padded, pixel, stride) {
  const value = padded[pixel];
  const below = value - 1;
  const above = pixel - stride;
  const under = pixel + stride;
  return (
    (((below - padded[above - 1]) >> 31) & 1) |
    (((below - padded[above]) >> 31) & 2) |
    (((below - padded[above + 1]) >> 31) & 4) |
    (((value - padded[pixel + 1]) >> 31) & 8) |
    (((value - padded[under + 1]) >> 31) & 16) |
    (((value - padded[under]) >> 31) & 32) |
    (((value - padded[under - 1]) >> 31) & 64) |
    (((below - padded[pixel - 1]) >> 31) & 128)
  );
}

/** (8) Int32Array: steps from a pixel to its neighbours in a padded plane, clockwise from the one above on the left. */
function ringSteps(width) {
  const stride = width + 2;
  return new Int32Array([-stride - 1, -stride, -stride + 1, 1, stride + 1, stride, stride - 1, -1]);
}

/**
 * (256) Uint8Array: of the neighbours that were taken (bits as takenAround gives them) those to join a pixel to. Taken
 * neighbours that touch each other are in one piece already, so one of them is enough: mostly 1 instead of 8.
 */
function nearOnes(diagonal) {
  const table = new Uint8Array(256);
  for (let taken = 0; taken < 256; taken++) {
    let reached = 0;
    for (let bit = 128; bit; bit >>= 1) {
      if (!(taken & bit) || reached & bit || (!diagonal && bit & CORNERS)) continue;
      table[taken] |= bit;
      reached |= arcAround(taken, bit, diagonal);
    }
  }
  return table;
}

/** The taken ones of the ring that `bit` reaches step by step; with diagonals, from side to side past a corner. */
function arcAround(taken, bit, diagonal) {
  let reached = bit;
  for (;;) {
    const sides = diagonal ? reached & ~CORNERS : 0;
    const grown = reached | turnRing(reached, 1) | turnRing(reached, 7) | turnRing(sides, 2) | turnRing(sides, 6);
    if ((grown & taken) === reached) return reached;
    reached = grown & taken;
  }
}

function turnRing(ring, steps) {
  return ((ring << steps) | (ring >> (8 - steps))) & 255;
}

/** Returns {order, starts}: the pixels of level t are order[starts[t]] to order[starts[t - 1] - 1], row by row. */
function sortPixels(padded, width) {
  const counts = new Int32Array(256);
  const stride = width + 2;
  for (let i = stride + 1; i < padded.length - stride; i++) counts[padded[i]]++;
  const starts = new Int32Array(256);
  for (let level = 255; level > 0; level--) starts[level - 1] = starts[level] + counts[level];
  const order = new Int32Array(starts[0]); // level 0 is left out: it belongs to nobody, or to all
  const next = starts.slice();
  for (let i = stride + 1; i < padded.length - stride; i++) {
    if (padded[i]) order[next[padded[i]]++] = i;
  }
  return { order, starts };
}

function padPlane(plane, width, height) {
  const padded = new Uint8Array((width + 2) * (height + 2));
  for (let y = 0; y < height; y++) {
    padded.set(plane.subarray(y * width, (y + 1) * width), (y + 1) * (width + 2) + 1);
  }
  return padded;
}

function cropPlane(padded, width, height) {
  const plane = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (y + 1) * (width + 2) + 1;
    plane.set(padded.subarray(start, start + width), y * width);
  }
  return plane;
}

/** In place, all but the border. */
function invertPlane(padded, width, height) {
  for (let y = 1; y <= height; y++) {
    const start = y * (width + 2) + 1;
    for (let i = start; i < start + width; i++) padded[i] = 255 - padded[i];
  }
}
