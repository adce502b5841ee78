// Numbers: what a run tells in words; a dash where it is missing, no number, or endless.

const NONE = "–";
const FIGURE = new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const LARGE = 1e9; // from here on, and below the next, digits would say less than a power
const SMALL = 1e-4;

/** A finite number, or null. */
function known(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Three digits that count, such as 0.0123 or 1.2e-7. */
function amount(value) {
  if (known(value) === null) return NONE;
  const size = Math.abs(value);
  return value && (size >= LARGE || size < SMALL) ? power(value) : MEASURE.format(value);
}

/** Such as 2e-5 and 1.25e12. */
function power(value) {
  return value.toExponential(2).replace(/\.?0*e\+?/, "e");
}

function whole(value) {
  if (known(value) === null) return NONE;
  return Math.abs(value) >= LARGE ? power(value) : NUMBER.format(Math.round(value));
}

/** With a fixed number of digits, so that it does not jump while it changes. */
function figure(value) {
  if (known(value) === null) return NONE;
  return value && (Math.abs(value) >= 1000 || Math.abs(value) < 0.001) ? amount(value) : FIGURE.format(value);
}

/** Seconds; two units at most. */
function duration(value) {
  if (known(value) === null || value < 0) return NONE;
  const s = Math.round(value);
  if (s < 60) return text("seconds", { s });
  if (s < 3600) return text("minutes", { m: Math.floor(s / 60), s: s % 60 });
  const m = Math.round(value / 60);
  return text("hours", { h: whole(Math.floor(m / 60)), m: m % 60 });
}

function bytes(value) {
  if (known(value) === null || value <= 0) return NONE;
  const [size, unit] = value >= 1e9 ? [1e9, "GB"] : [1e6, "MB"];
  return `${amount(value / size)} ${unit}`;
}

/** A share from 0 to 1. */
function within(value) {
  return Math.min(1, Math.max(0, known(value) ?? 0));
}
