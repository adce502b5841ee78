// Levels: a pixel is in the mask when its integer is at least the level of the threshold, as on the server.

const FULL = 255;
const LEVELS = FULL + 1;

/** The smallest level q with q / 255 >= threshold; 0 to 255 for thresholds from 0 to 1. */
function thresholdLevel(threshold) {
  let level = Math.max(0, Math.ceil(threshold * FULL) - 1);
  while (level / FULL < threshold) level++; // the product is rounded, so only the quotient decides
  return level;
}

/** The threshold midway between a level and the one below, so that 8 and 16 bits give the same mask. */
function thresholdOf(level) {
  return Number((Math.max(0, level - 0.5) / FULL).toFixed(4));
}

/** A threshold as it is shown: four digits at most, without trailing zeros. */
function shownThreshold(threshold) {
  return String(Number(threshold.toFixed(4)));
}

/** atLeast[q] = sum of counts[q..255]: one number per level answers for every threshold. */
function atLeast(counts) {
  const sums = new Float64Array(LEVELS + 1);
  for (let level = FULL; level >= 0; level--) sums[level] = sums[level + 1] + counts[level];
  return sums;
}
