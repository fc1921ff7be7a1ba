// Numbers, times and sizes as people read them. Pure.

const COUNT = new Intl.NumberFormat("en");
const PRICE = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const count = (number) => COUNT.format(number);
export const price = (number) => PRICE.format(number);

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "";
  if (seconds < 0.095) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let left = bytes;
  while (left >= 1000 && at < units.length - 1) {
    left /= 1000;
    at += 1;
  }
  return `${at && left < 10 ? left.toFixed(1) : Math.round(left)} ${units[at]}`;
}

export function ago(then, now = Date.now()) {
  const seconds = (now - new Date(then).getTime()) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds < 45) return "just now";
  const steps = [[60, "minute"], [3600, "hour"], [86400, "day"], [86400 * 30, "month"], [86400 * 365, "year"]];
  let [unit, name] = steps[0];
  for (const step of steps) if (seconds >= step[0] * 0.9) [unit, name] = step;
  const amount = Math.max(1, Math.round(seconds / unit));
  return `${amount} ${name}${amount === 1 ? "" : "s"} ago`;
}

export const exactly = (then) => new Date(then).toLocaleString();

export function metric(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return count(value);
  return Math.abs(value) < 10 ? value.toFixed(3) : PRICE.format(value);
}

export function between(start, end, now = Date.now()) {
  if (!start) return null;
  return ((end ? new Date(end).getTime() : now) - new Date(start).getTime()) / 1000;
}
