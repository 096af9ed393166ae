// The main metric over the rows of the stream: who answered when, and what happened on the way.

import { figure, h, isShare, s, words } from "./dom.js";

const HEIGHT = 340;
const EDGE = { top: 46, right: 18, bottom: 34, left: 58 };
const HUES = 8;

// Row at which the stream stood at a time, by the windows' own times.
export function rowAt(windows, time) {
  const at = Date.parse(time);
  if (!windows.length || at <= Date.parse(windows[0].at)) return windows.length ? windows[0].window.first_row : 0;
  let before = windows[0];
  for (const next of windows) {
    const [a, b] = [Date.parse(before.at), Date.parse(next.at)];
    if (b >= at) {
      const share = b > a ? (at - a) / (b - a) : 1;
      return before.window.last_row + share * (next.window.last_row - before.window.last_row);
    }
    before = next;
  }
  return before.window.last_row;
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return found;
}

// The axis, without the few values that are so far out that all others would be one flat line.
function bounds(points, metric) {
  const values = points.map((point) => point.value).sort((a, b) => a - b);
  const most = isShare(metric) ? Infinity : usual(values);
  const shown = values.filter((value) => Math.abs(value) <= most);
  const low = shown[0];
  const high = shown[shown.length - 1];
  const room = (high - low || Math.abs(high) * 0.1 || 1) * 0.12;
  return [low - room, high + room];
}

// Eight times the median; what a fifth of all values exceed is not far out.
function usual(values) {
  const sizes = values.map(Math.abs).sort((a, b) => a - b);
  const at = (share) => sizes[Math.floor(share * (sizes.length - 1))];
  return Math.max(8 * at(0.5), 1.5 * at(0.8)) || Infinity;
}

// Stretches of points beyond the axis, each as its farthest point.
function beyond(points, low, high) {
  const found = [];
  let before = null;
  for (const point of points) {
    const out = point.value > high || point.value < low;
    const farther = before && Math.abs(point.value) > Math.abs(before.value);
    if (out && !before) found.push(point);
    else if (out && farther) found[found.length - 1] = point;
    before = out ? found[found.length - 1] : null;
  }
  return found;
}

const hue = (version) => (Number.parseInt(version, 10) || 0) % HUES;

const compact = (rows) => (rows >= 1000 ? `${Number((rows / 1000).toFixed(1))}k` : String(Math.round(rows)));

// `stretches`: {version, from, reason}; `briefs`: {version, row, reason}, within one of them; `events`: {row, kind: alert|action|recovery|escalation, text}.
export function chart(holder, { metric, measured, estimated, stretches, briefs, events }) {
  const all = [...measured, ...estimated];
  const width = Math.max(320, holder.clientWidth || 900);
  if (!all.length) return holder.replaceChildren();
  const last = Math.max(...all.map((point) => point.row), ...events.map((event) => event.row));
  const first = Math.min(...all.map((point) => point.from));
  const [low, high] = bounds(all, metric);
  const x = (row) => EDGE.left + ((row - first) / (last - first || 1)) * (width - EDGE.left - EDGE.right);
  const y = (value) => EDGE.top + (1 - (Math.min(high, Math.max(low, value)) - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const path = (points) => points.map((p, i) => `${i ? "L" : "M"}${x(p.row).toFixed(1)} ${y(p.value).toFixed(1)}`).join("");
  const floor = HEIGHT - EDGE.bottom;

  const bands = stretches
    .map((stretch, i) => ({ ...stretch, to: stretches[i + 1]?.from ?? last }))
    .filter((stretch) => stretch.to > first)
    .map((stretch) => {
      const [a, b] = [x(Math.max(stretch.from, first)), x(stretch.to)];
      return s(
        "g",
        { class: `band hue-${hue(stretch.version)}` },
        s("title", {}, `version ${stretch.version}: ${stretch.reason || "live"}`),
        s("rect", { class: "wash", x: a, y: EDGE.top, width: Math.max(0, b - a), height: floor - EDGE.top }),
        s("rect", { class: "cap", x: a, y: EDGE.top - 5, width: Math.max(2, b - a - 1), height: 5, rx: 2 }),
        b - a > label(stretch.version) && s("text", { x: a + 5, y: EDGE.top + 14 }, `v${stretch.version}`),
      );
    });
  const named = withRoom(briefs, x);
  const between = briefs.map((brief) => {
    const { version, row, reason } = brief;
    return s(
      "g",
      { class: `band brief hue-${hue(version)}`, role: "img", "aria-label": `version ${version}, for a few rows` },
      s("title", {}, `version ${version}, for a few rows: ${reason || "live"}`),
      s("line", { x1: x(row), x2: x(row), y1: EDGE.top - 5, y2: floor }),
      named.has(brief) && s("text", x(row) > width - 60 ? { x: x(row) - 5, y: floor - 6, "text-anchor": "end" } : { x: x(row) + 5, y: floor - 6 }, `v${version}`),
    );
  });
  const grid = ticks(low, high, 5).map((value) => [
    s("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
    s("text", { class: "tick", x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, figure(metric, value)),
  ]);
  const scale = ticks(first, last, Math.max(3, width / 110)).map((row) =>
    s("text", { class: "tick", x: x(row), y: floor + 18, "text-anchor": "middle" }, compact(row)),
  );
  const marks = placed(events, x).map((event) =>
    s(
      "g",
      { class: `mark ${event.kind}`, tabindex: "0", role: "img", "aria-label": event.texts.join("; ") },
      s("title", {}, event.texts.join("\n")),
      s("line", { x1: event.x, x2: event.x, y1: event.y + 7, y2: floor }),
      s("circle", { cx: event.x, cy: event.y, r: 7 }),
      event.texts.length > 1
        ? s("text", { x: event.x, y: event.y + 3.5 }, event.texts.length)
        : s("path", { d: GLYPHS[event.kind], transform: `translate(${event.x} ${event.y})` }),
    ),
  );
  const cut = beyond(measured, low, high).map((point) => {
    const up = point.value > high;
    const side = x(point.row) > width - 90 ? { dx: -8, "text-anchor": "end" } : { dx: 8 };
    const told = `${figure(metric, point.value)}, beyond the axis`;
    return s(
      "g",
      { class: "beyond", role: "img", "aria-label": told, transform: `translate(${x(point.row)} ${up ? EDGE.top : floor})` },
      s("title", {}, told),
      s("path", { d: up ? "M-6 9L0 0L6 9Z" : "M-6 -9L0 0L6 -9Z" }),
      s("text", { ...side, dy: up ? 28 : -12 }, figure(metric, point.value)),
    );
  });
  const cursor = s("g", { class: "cursor", visibility: "hidden" }, s("line", { y1: EDGE.top, y2: floor }), s("circle", { r: 4 }));
  const tip = h("div", { class: "tip", hidden: true });
  const drawing = s(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${words(metric)} over rows` },
    bands,
    between,
    grid,
    scale,
    s("path", { class: "estimated", d: path(estimated) }),
    s("path", { class: "measured", d: path(measured) }),
    marks,
    cut,
    cursor,
  );
  drawing.addEventListener("pointermove", (event) => point(event, drawing, { all, x, y, width, cursor, tip, metric }));
  drawing.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    tip.hidden = true;
  });
  holder.replaceChildren(drawing, tip);
}

// Room in px that a version's label takes.
const label = (version) => 18 + 8 * String(version).length;

// Those brief versions whose labels do not cover the one before.
function withRoom(briefs, x) {
  let free = -Infinity;
  const named = new Set();
  for (const brief of [...briefs].sort((a, b) => a.row - b.row)) {
    if (x(brief.row) < free) continue;
    named.add(brief);
    free = x(brief.row) + label(brief.version);
  }
  return named;
}

const RANKS = ["recovery", "action", "alert", "escalation"];

const GLYPHS = {
  alert: "M0 -4V1M0 3.4V3.5",
  action: "M-3 0H3M0 -3L3 0L0 3",
  recovery: "M-3 0L-1 2.5L3.4 -2.5",
  escalation: "M0 3.5V-3M-3 0L0 -3.4L3 0",
};

// Marks that would cover each other move up a lane; where all lanes are full, they become one that counts, with one of
// their own kind if there is one, else with the nearest. It is of the kind that needs a look most.
function placed(events, x) {
  const lanes = [-Infinity, -Infinity];
  const marks = [];
  for (const { row, kind, text } of [...events].sort((a, b) => a.row - b.row)) {
    const at = x(row);
    let lane = lanes.findIndex((right) => at - right > 16);
    if (lane < 0) {
      const like = marks.findLast((mark) => mark.kind === kind && at - mark.x <= 16) ?? marks.at(-1);
      like.texts.push(text);
      like.kind = RANKS[Math.max(RANKS.indexOf(like.kind), RANKS.indexOf(kind))];
      continue;
    }
    lanes[lane] = at;
    marks.push({ kind, texts: [text], x: at, y: EDGE.top - 16 - lane * 17 });
  }
  return marks;
}

function point(event, drawing, { all, x, y, width, cursor, tip, metric }) {
  const box = drawing.getBoundingClientRect();
  const at = ((event.clientX - box.left) / box.width) * width;
  const nearest = all.reduce((best, p) => (Math.abs(x(p.row) - at) < Math.abs(x(best.row) - at) ? p : best));
  const [px, py] = [x(nearest.row), y(nearest.value)];
  cursor.setAttribute("visibility", "visible");
  cursor.firstChild.setAttribute("x1", px);
  cursor.firstChild.setAttribute("x2", px);
  cursor.lastChild.setAttribute("cx", px);
  cursor.lastChild.setAttribute("cy", py);
  tip.hidden = false;
  tip.replaceChildren(
    h("b", {}, figure(metric, nearest.value)),
    ` ${nearest.estimated ? "estimated" : "measured"}`,
    h("br"),
    `rows ${nearest.from.toLocaleString("en")} to ${nearest.row.toLocaleString("en")}`,
    nearest.version ? [h("br"), `version ${nearest.version}`] : "",
  );
  const share = px / width;
  tip.style.left = `${(px / width) * box.width}px`;
  tip.style.top = `${(py / HEIGHT) * box.height}px`;
  tip.dataset.side = share > 0.7 ? "left" : "right";
}

// A line without axes: what came in each of the last seconds.
export function sparkline(values) {
  const most = Math.max(1, ...values);
  const d = values.map((v, i) => `${i ? "L" : "M"}${(i / (values.length - 1)) * 100} ${26 - (v / most) * 24}`).join("");
  return s(
    "svg",
    { class: "spark", viewBox: "0 0 100 28", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { class: "area", d: `${d}L100 28L0 28Z` }),
    s("path", { class: "line", d }),
  );
}
