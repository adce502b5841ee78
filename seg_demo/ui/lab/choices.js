// Choices: the thresholds that a rule can find, one click each.

/**
 * value: [default, least, most, step] of the number that a rule needs. labels: whether it needs a label map.
 * find(lab, value): {level}, or {problem: text} where the rule finds none.
 */
const CHOICES = {
  half: { find: () => ({ level: thresholdLevel(0.5), threshold: 0.5 }) },
  otsu: { find: (lab) => given(lab, "otsu") },
  li: { find: (lab) => given(lab, "li") },
  triangle: { find: (lab) => given(lab, "triangle") },
  keep: { value: [10, 0, 100, 1], find: keepShare },
  best_f1: { labels: true, find: (lab) => best(lab, "f1") },
  best_iou: { labels: true, find: (lab) => best(lab, "iou") },
  precision: { value: [0.9, 0, 1, 0.01], labels: true, find: leastPrecision },
  recall: { value: [0.95, 0, 1, 0.01], labels: true, find: leastRecall },
};

/** What the server found in the histogram of the plane. */
function given(lab, name) {
  const level = lab.entry.picture.meta.automatic[name];
  return level === undefined ? { problem: text("choice_flat") } : { level };
}

/** The level whose share of pixels is nearest to `percent`; of ties the higher. */
function keepShare(lab, percent) {
  const kept = atLeast(lab.entry.histogram);
  const off = (level) => Math.abs(100 * kept[level] - percent * kept[0]);
  let found = FULL;
  for (let level = FULL; level >= 0; level--) if (off(level) < off(found)) found = level;
  return { level: found };
}

function best(lab, name) {
  const level = lab.sweep().best(name);
  return level === null ? { problem: text("choice_no_class") } : { level };
}

/** The lowest level with the precision asked for, where the recall is highest. */
function leastPrecision(lab, least) {
  const sweep = lab.sweep();
  const values = sweep.curve("precision").slice(1); // level 0 takes all pixels: no choice of any
  if (!sweep.positives) return { problem: text("choice_no_class") };
  const found = values.findIndex((value) => value >= least);
  return found < 0 ? unreached(values) : { level: found + 1 };
}

/** The highest level with the recall asked for, where the precision is highest. */
function leastRecall(lab, least) {
  const level = lab.sweep().curve("recall").findLastIndex((value) => value >= least);
  return level < 0 ? { problem: text("choice_no_class") } : { level }; // level 0 finds all that is there
}

function unreached(values) {
  const known = values.filter((value) => !Number.isNaN(value));
  if (!known.length) return { problem: text("choice_flat") }; // all pixels are at level 0
  return { problem: text("choice_unreached", { most: Math.max(...known).toFixed(4) }) };
}
