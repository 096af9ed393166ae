// The dashboard: keeps what the gateway says, and draws what has changed.

import { Closed, enter, get, listen, post } from "./api.js";
import { chart, rowAt } from "./chart.js";
import { count, figure, h, words } from "./dom.js";
import { incidentList } from "./incidents.js";
import { alertList, code, features, figures, liveModel, parts } from "./panels.js";

const DRAW_MS = 250;
const FETCH_MS = 400;
const WINDOWS = 2000;

const main = document.getElementById("main");
const state = {
  status: null,
  chosen: null,
  pipelines: new Map(), // name -> {windows, live, history, alerts, incidents, predictions}
  details: new Map(),
  open: new Set(),
  touched: false,
};

const pipeline = () => state.pipelines.get(state.chosen);

async function loadStatus() {
  state.status = await get("/v1/status");
  const names = state.status.pipelines.map((each) => each.pipeline);
  if (!names.includes(state.chosen)) state.chosen = names[0] ?? null;
}

async function loadPipeline(name) {
  if (!name) return;
  const base = `/v1/pipelines/${encodeURIComponent(name)}`;
  const of = `pipeline=${encodeURIComponent(name)}`;
  const known = state.pipelines.get(name);
  const [models, history, alerts, incidents, predictions, metrics] = await Promise.all([
    get(`${base}/models`),
    get(`${base}/models/history`),
    get(`/v1/alerts?${of}&limit=200`),
    get(`/v1/incidents?${of}&limit=50`),
    get(`${base}/predictions?limit=1`),
    known ? null : get(`${base}/metrics?family=performance&family=estimate&family=data&limit=${WINDOWS}&spread=true`),
  ]);
  const windows = known?.windows ?? new Map();
  for (const window of metrics?.windows ?? []) keep(windows, window);
  state.pipelines.set(name, { windows, live: models.live, history: history.events, alerts: alerts.alerts, incidents: incidents.incidents, predictions });
  if (!state.touched && incidents.incidents.length) state.open = new Set([incidents.incidents[0].id]);
  await Promise.all(incidents.incidents.filter((incident) => stale(incident)).map((incident) => loadIncident(incident.id)));
}

const stale = (incident) => state.open.has(incident.id) && state.details.get(incident.id)?.updated !== incident.updated;

async function loadIncident(id) {
  state.details.set(id, await get(`/v1/incidents/${encodeURIComponent(id)}`));
}

function keep(windows, window) {
  const key = `${window.family}/${window.window.index}`;
  const known = windows.get(key);
  if (!known || window.revision >= known.revision) windows.set(key, window);
  if (windows.size > 3 * WINDOWS) windows.delete(windows.keys().next().value);
}

const family = (name) =>
  [...pipeline().windows.values()].filter((window) => window.family === name).sort((a, b) => a.window.last_row - b.window.last_row);

// What happened, at the row where the stream stood then.
function events(windows) {
  const { alerts, incidents } = pipeline();
  const raised = alerts.map((alert) => ({ row: rowAt(windows, alert.since), kind: "alert", text: `alert: ${alert.summary}` }));
  const done = incidents.flatMap((incident) => [
    ...incident.actions
      .filter((action) => action.action !== "notify")
      .map((action) => ({ row: rowAt(windows, action.at), kind: "action", text: `action: ${words(action.action)}, ${action.reason}` })),
    ...(incident.state === "resolved" ? [{ row: rowAt(windows, incident.closed), kind: "recovery", text: incident.outcome }] : []),
    ...(incident.state === "escalated" ? [{ row: rowAt(windows, incident.updated), kind: "escalation", text: `handed to a person: ${incident.outcome}` }] : []),
  ]);
  return [...raised, ...done];
}

function points(windows, metric, estimated) {
  return windows
    .filter((window) => Number.isFinite(window.values[metric]))
    .map((window) => ({ row: window.window.last_row, from: window.window.first_row, value: window.values[metric], version: window.model_version, estimated }));
}

// Who answered which rows: by the windows' own versions, and from the newest publication on by its time.
function stretches(windows) {
  const found = [];
  const reasons = new Map(pipeline().history.map((event) => [event.version, event.reason]));
  const add = (version, from) => {
    if (version && found.at(-1)?.version !== version) found.push({ version, from, reason: reasons.get(version) });
  };
  for (const window of windows) add(window.model_version, window.window.first_row);
  const { live } = pipeline();
  const newest = windows.at(-1);
  if (live && newest) add(live.version, found.length ? Math.max(rowAt(windows, live.at), newest.window.last_row) : rowAt(windows, live.at));
  return found;
}

// Versions that were live for so few rows that no window names them, at the row where the stream stood then.
function briefs(windows, stretches) {
  const found = [];
  let next = 0;
  let before = null;
  for (const { version, stage, at, reason } of pipeline().history) {
    if (stage !== "champion" || version === before) continue;
    before = version;
    if (stretches[next]?.version === version) next += 1;
    else if (stretches[next - 1]?.version !== version) found.push({ version, reason, row: between(stretches[next - 1]?.from, rowAt(windows, at), stretches[next]?.from) });
  }
  return found;
}

const between = (low = -Infinity, row, high = Infinity) => Math.max(low, Math.min(row, high));

function drawChart(holder, metric) {
  const windows = [...pipeline().windows.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const performance = family("performance");
  const rows = performance.length ? performance : windows;
  const answered = stretches(rows);
  chart(holder, {
    metric,
    measured: points(performance, metric, false),
    estimated: points(family("estimate"), metric, true),
    stretches: answered,
    briefs: rows.length ? briefs(rows, answered) : [],
    events: rows.length ? events(rows) : [],
  });
}

function legend() {
  const marks = [["line measured", "measured"], ["line estimated", "estimated, without labels"], ["dot alert", "alert"], ["dot action", "action"], ["dot recovery", "recovery"], ["dot escalation", "handed to a person"]];
  return h("ul", { class: "legend" }, marks.map(([kind, name]) => h("li", {}, h("i", { class: kind }), name)));
}

function drawn(status) {
  const known = pipeline();
  const row = status.pipelines.find((each) => each.pipeline === state.chosen);
  const holder = h("div", { class: "plot" });
  const hasWindows = [...known.windows.values()].some((window) => Number.isFinite(window.values[row.metric]));
  const page = [
    tabs(status),
    figures(row, known.live, known.predictions, known.alerts, known.incidents),
    h(
      "section",
      { class: "card chart" },
      h("h2", {}, `${words(row.metric)} over the rows of the stream`),
      hasWindows ? [legend(), holder] : h("div", { class: "empty" }, h("b", {}, "Nothing measured yet"), h("p", {}, "The line begins when rows are predicted and their labels come in: ", code(`homeostat labels ${row.pipeline} FILE`))),
    ),
    h("div", { class: "columns" }, h("div", {}, incidentList(known.incidents, state.details, { open: state.open, toggle, decide })), h("div", {}, liveModel(row, known.live), alertList(known.alerts), features(family("data")))),
  ];
  main.replaceChildren(...page.filter(Boolean));
  if (hasWindows) drawChart(holder, row.metric);
}

function tabs(status) {
  if (status.pipelines.length < 2) return h("h1", {}, state.chosen);
  return h(
    "nav",
    { class: "tabs", "aria-label": "Pipelines" },
    status.pipelines.map((each) =>
      h("button", { "aria-current": each.pipeline === state.chosen ? "page" : null, onclick: () => choose(each.pipeline) }, trouble(each), each.pipeline, each.kind === "anomaly" && each.value === null ? null : h("small", {}, figure(each.metric, each.value ?? each.estimated))),
    ),
  );
}

// A dot on the tab of a pipeline where something fires or is open, with what it is in words.
function trouble({ alerts_firing: firing, incidents_open: open }) {
  const told = [firing && `${many(firing, "alert")} firing`, open && `${many(open, "open incident")}`].filter(Boolean).join(", ");
  return told && h("i", { class: "trouble", role: "img", "aria-label": told, title: told, "data-tone": firing ? "bad" : "warn" });
}

const many = (number, what) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;

function draw() {
  const { status } = state;
  if (!status) return;
  document.getElementById("parts").replaceChildren(...parts(status));
  if (!state.chosen) return noPipeline();
  if (pipeline()) drawn(status);
}

function noPipeline() {
  main.replaceChildren(
    h(
      "section",
      { class: "card welcome" },
      h("h1", {}, "No pipeline yet"),
      h("p", {}, "A pipeline is a stream of rows with something to predict in them. Make one from a data file of yours:"),
      h("ol", {}, ["homeostat pipeline init FILE --target COLUMN --out SPEC.yaml", "homeostat pipeline apply SPEC.yaml", "homeostat send NAME FILE"].map((text) => h("li", {}, code(text)))),
      h("p", { class: "note" }, "Or watch a real stream go wrong and heal: ", code("homeostat demo")),
    ),
  );
}

function closed(message = "") {
  const key = h("input", { type: "password", name: "key", autocomplete: "off", placeholder: "API key", "aria-label": "API key", required: true });
  const form = h("form", { class: "card welcome" }, h("h1", {}, "This dashboard asks for a key"), h("p", {}, "Open the link that ", code("homeostat up"), " printed, or paste the API key:"), h("div", { class: "ask" }, key, h("button", {}, "Open")), message && h("p", { class: "error", role: "alert" }, message));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    post("/v1/session", { key: key.value }).then(() => location.reload(), (error) => closed(error.message));
  });
  main.replaceChildren(form);
  document.getElementById("link").dataset.state = "closed";
  document.getElementById("link").textContent = "locked";
}

function toggle(id) {
  state.touched = true;
  if (!state.open.delete(id)) {
    state.open.add(id);
    loadIncident(id).then(redraw, failed);
  }
  redraw();
}

function choose(name) {
  state.chosen = name;
  refresh();
}

function decide(incident, verdict) {
  post(`/v1/incidents/${encodeURIComponent(incident)}/${verdict}`, { reason: "decided on the dashboard" }).then(refresh, failed);
}

function failed(error) {
  if (error instanceof Closed) closed();
  else linkIs("reconnecting");
}

// At most one call of `work` every `wait` ms, the last one never lost; none while another runs.
function paced(work, wait) {
  let timer = null;
  let again = false;
  let running = false;
  return function ask() {
    again = true;
    if (timer !== null || running) return;
    timer = setTimeout(async () => {
      timer = null;
      again = false;
      running = true;
      try {
        await work();
      } finally {
        running = false;
      }
      if (again) ask();
    }, wait);
  };
}

const redraw = paced(draw, DRAW_MS);
const refresh = paced(() => loadStatus().then(() => loadPipeline(state.chosen)).then(redraw, failed), FETCH_MS);

function heard(name, data) {
  if (name === "metrics") {
    const known = state.pipelines.get(data.pipeline);
    if (known) keep(known.windows, data);
  }
  refresh();
}

function linkIs(now) {
  const link = document.getElementById("link");
  link.dataset.state = now;
  link.textContent = now;
  if (now === "live") refresh();
}

async function start() {
  try {
    await enter();
    await loadStatus();
    await loadPipeline(state.chosen);
  } catch (error) {
    return error instanceof Closed ? closed() : closed(error.message);
  }
  draw();
  listen(heard, linkIs);
  addEventListener("resize", redraw);
}

start();
