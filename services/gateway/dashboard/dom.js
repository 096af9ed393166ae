// Elements, made by their names. Every text goes in as text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, text]) => element.style.setProperty(key, text));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const h = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

// A share as a person reads it: 86.1 %.
export const percent = (value, digits = 1) => `${(value * 100).toFixed(digits)} %`;

const SHARES = new Set(["accuracy", "precision", "recall", "f1", "roc_auc", "balanced_accuracy", "average_precision"]);

// Whether the metric is bounded by 1 from above.
export const isShare = (metric) => SHARES.has(metric.split(".").pop());

// A number as a person reads it. Beside one that differs and would read the same, with as many more digits as it takes.
export function figure(metric, value, beside = value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  for (let more = 0; more < 12; more += 1) {
    const text = rounded(metric, value, more);
    if (value === beside || text !== rounded(metric, beside, more)) return text;
  }
  return String(value);
}

function rounded(metric, value, more) {
  if (isShare(metric) && Math.abs(value) <= 1) return percent(value, 1 + more);
  return Number(value.toPrecision(4 + more)).toLocaleString("en", { maximumSignificantDigits: 17 });
}

export const count = (value) => (value ?? 0).toLocaleString("en");

export const words = (name) => String(name ?? "").replaceAll("_", " ");

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function ago(time, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

export const clock = (time) =>
  new Date(time).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const moment = (time) => h("time", { datetime: time, title: new Date(time).toLocaleString() }, clock(time));
