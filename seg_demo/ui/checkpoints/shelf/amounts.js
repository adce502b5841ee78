// Amounts: bytes and moments in the visitor's language.

const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const AGO = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto", style: "short" });
const MOMENT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });

/** Bytes as "4.2 MB". */
function size(bytes) {
  const units = ["kB", "MB", "GB", "TB"];
  let [amount, unit] = [bytes / 1000, 0];
  while (amount >= 999.5 && unit < units.length - 1) [amount, unit] = [amount / 1000, unit + 1];
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}

/** Seconds since 1970 as "2 days ago". */
function ago(moment) {
  const seconds = Math.max(0, Date.now() / 1000 - moment);
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? [null, 1];
  return unit ? AGO.format(-Math.floor(seconds / length), unit) : text("just_now");
}

function moment(seconds) {
  return MOMENT.format(new Date(1000 * seconds));
}
