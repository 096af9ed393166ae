// The panels about one pipeline, each a function from data to an element.

import { sparkline } from "./chart.js";
import { ago, capital, count, figure, h, moment, words } from "./dom.js";

const card = (name, title, ...rest) => h("section", { class: `card ${name}` }, h("h2", {}, title), ...rest);

const empty = (title, ...what) => h("div", { class: "empty" }, h("b", {}, title), h("p", {}, ...what));

export const code = (text) => h("code", {}, text);

export function parts(status) {
  const kafka = { service: "kafka", state: status.kafka === "ok" ? "running" : "down", lag: 0 };
  const services = new Map();
  if (!status.services.some((part) => part.service === "kafka")) services.set("kafka", [kafka]);
  for (const part of status.services) services.set(part.service, [...(services.get(part.service) ?? []), part]);
  return [...services].map(([name, instances]) => {
    const worst = ["down", "silent", "draining", "starting"].find((state) => instances.some((one) => one.state === state)) ?? "running";
    const lag = instances.reduce((sum, one) => sum + (one.lag ?? 0), 0);
    const memory = instances.reduce((sum, one) => sum + (one.rss_mb ?? 0), 0);
    const lacks = instances.flatMap((one) => (one.incomplete ? [`; state is incomplete: ${one.incomplete}`] : [])).join("");
    const told = `${name}: ${worst}, ${count(lag)} records waiting, ${count(Math.round(memory))} MB${lacks}`;
    return h("li", { "data-state": worst, title: told }, h("i"), name, lag > 1000 && h("small", {}, `lag ${count(lag)}`));
  });
}

export function figures(pipeline, live, predictions, alerts, incidents) {
  const measured = pipeline.value ?? pipeline.estimated;
  const on = live && pipeline.value_version && pipeline.value_version !== live.version ? ` on v${pipeline.value_version}` : "";
  const kind = pipeline.value === null && pipeline.estimated !== null ? "estimated" : `measured${on}`;
  const firing = alerts.filter((alert) => alert.state === "firing");
  const open = incidents.filter((incident) => !["resolved", "expired"].includes(incident.state));
  return h(
    "div",
    { class: "figures" },
    tile("live version", live ? `v${live.version}` : "none", live ? answering(pipeline, live) : "being waited for", pipeline.unanswered ? "bad" : "version"),
    (pipeline.kind !== "anomaly" || measured !== null) && tile(words(pipeline.metric), figure(pipeline.metric, measured), measured === null ? "no window yet" : kind),
    tile("predictions a second", figure("rate", pipeline.per_second), sparkline(predictions?.last_minute ?? [0, 0])),
    tile("rows seen", count(pipeline.rows_seen), `${count(pipeline.labelled_seen)} with their label`),
    tile("alerts firing", firing.length, firing.length ? "see below" : `${pipeline.pipeline} is quiet`, firing.length ? "bad" : "good"),
    tile("open incidents", open.length, ...dealing(open, firing)),
  );
}

// Since when it answers; or that it does not, and why.
function answering({ unanswered }, live) {
  return unanswered ? h("span", { title: unanswered.reason }, `answers none of the newest ${count(unanswered.rows)} rows`) : `since ${clockOf(live)}`;
}

// What is being done about it, and in which colour: only what needs nobody is no warning.
function dealing(open, firing) {
  const asking = open.filter((incident) => ["escalated", "awaiting_approval"].includes(incident.state)).length;
  if (asking) return [asking === open.length ? "a person is needed" : `a person is needed for ${asking}`, "warn"];
  if (open.length) return ["being dealt with", "busy"];
  return firing.some((alert) => alert.severity === "critical") ? ["but a critical alert fires", "warn"] : ["nothing to deal with", "good"];
}

const clockOf = (live) => new Date(live.at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

const tile = (name, value, note, tone = "") =>
  h("div", { class: `tile ${tone}` }, h("span", { class: "name" }, name), h("b", {}, value), h("span", { class: "note" }, note));

export function liveModel(pipeline, live) {
  if (!live) {
    const share = Math.min(1, pipeline.labelled_seen / pipeline.rows_needed);
    return card(
      "model",
      "Live version",
      empty(
        "No model yet",
        `The first is trained at ${count(pipeline.rows_needed)} rows with a label; there are ${count(pipeline.labelled_seen)}. Send rows and labels: `,
        code(`homeostat send ${pipeline.pipeline} FILE`),
      ),
      pipeline.hold && onHold(pipeline),
      h("div", { class: "progress", role: "progressbar", "aria-valuenow": Math.round(share * 100) }, h("i", { style: { width: `${share * 100}%` } })),
    );
  }
  const facts = [
    ["learner", live.estimator || "not recorded"],
    ["in place of", live.previous ? `version ${live.previous}` : "nothing: it is the first"],
    ...Object.entries(live.metrics ?? {}).slice(0, 4).map(([name, value]) => [`${words(name)} at the gate`, figure(name, value)]),
    ...(live.canaries ?? []).map((canary) => ["canary", `version ${canary.version}, ${Math.round(canary.weight * 100)} % of rows`]),
  ];
  return card(
    "model",
    "Live version",
    h("p", { class: "headline" }, h("b", {}, `v${live.version}`), " since ", moment(live.at)),
    pipeline.hold && onHold(pipeline),
    h("p", { class: "why" }, capital(live.reason || "no reason recorded")),
    h("dl", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
  );
}

// Nothing is learned or promoted: since when, by whom, why, and what ends it.
function onHold({ pipeline, hold }) {
  const why = hold.why ? `: ${hold.why}` : "";
  return h("p", { class: "hold" }, "Learning is on hold since ", moment(hold.since), `, ${ago(hold.since)}, by ${hold.issued_by}${why}. `, code(`homeostat release-hold ${pipeline}`), " ends it.");
}

const STATISTICS = [
  { prefix: "psi.", name: "drift", unit: "PSI", full: 0.5, bad: 0.25, warn: 0.1 },
  { prefix: "missing.", name: "missing", unit: "share", full: 1, bad: 0.2, warn: 0.02 },
  { prefix: "out_of_range.", name: "out of range", unit: "share", full: 1, bad: 0.2, warn: 0.02 },
];

// Of windows in the order of their rows, the newest that has something to show: one may be told without values.
export function features(windows) {
  const window = windows.findLast((each) => byFeature(each.values).length);
  const rows = window ? byFeature(window.values) : [];
  if (!rows.length) {
    return card(
      "features",
      "Inputs",
      empty("No window of inputs yet", "Drift and quality show per feature once enough rows have come to fill a window and a reference."),
    );
  }
  return card(
    "features",
    "Inputs",
    h("p", { class: "note" }, `rows ${count(window.window.first_row)} to ${count(window.window.last_row)}, against the reference`),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", {}, "feature"), STATISTICS.map((stat) => h("th", {}, stat.name)))),
      h("tbody", {}, rows.map(([name, values]) => h("tr", {}, h("th", { scope: "row" }, name), STATISTICS.map((stat) => bar(stat, values[stat.prefix]))))),
    ),
  );
}

function bar(stat, value) {
  if (value === undefined) return h("td", { class: "none" }, "–");
  const tone = value >= stat.bad ? "bad" : value >= stat.warn ? "warn" : "fine";
  const width = `${Math.min(100, (value / stat.full) * 100)}%`;
  const shown = value === 0 ? "0" : value < 0.001 ? "<0.001" : value.toPrecision(2);
  return h("td", { title: `${stat.name} ${value} ${stat.unit}` }, h("span", { class: "bar", "data-tone": tone }, h("i", { style: { width } })), h("span", { class: "num" }, shown));
}

function byFeature(values) {
  const found = new Map();
  for (const [name, value] of Object.entries(values)) {
    const stat = STATISTICS.find((one) => name.startsWith(one.prefix));
    if (!stat) continue;
    const feature = name.slice(stat.prefix.length);
    found.set(feature, { ...found.get(feature), [stat.prefix]: value });
  }
  const trouble = ([, stats]) => Math.max(...STATISTICS.map((one) => (stats[one.prefix] ?? 0) / one.bad));
  return [...found].sort((a, b) => trouble(b) - trouble(a)).slice(0, 40);
}

const RESOLVED_SHOWN = 5;

export function alertList(alerts) {
  const firing = alerts.filter((alert) => alert.state === "firing");
  const over = alerts.filter((alert) => alert.state !== "firing");
  const rows = [...firing, ...over.slice(0, RESOLVED_SHOWN)].map((alert) =>
    h(
      "li",
      { "data-state": alert.state, "data-severity": alert.severity },
      h("span", { class: "chip" }, alert.state === "firing" ? alert.severity : "resolved"),
      h("div", {}, h("b", {}, capital(words(alert.kind))), h("p", {}, alert.summary), h("p", { class: "note" }, evidence(alert), " · ", h("time", { datetime: alert.since }, `began ${ago(alert.since)}`))),
    ),
  );
  const older = over.length - RESOLVED_SHOWN;
  const rest = older > 0 && h("p", { class: "note" }, `and ${count(older)} more that are resolved: GET /v1/alerts`);
  const body = rows.length ? [h("ul", {}, rows), rest] : empty("No alert so far", "When a window breaks what its own past allows, it shows here with its evidence.");
  return card("alerts", "Alerts", body);
}

export function evidence(alert) {
  const found = alert.evidence;
  const before = found.baseline === undefined || found.baseline === null ? "" : `, before ${figure(found.statistic, found.baseline)}`;
  const usual = found.statistic.startsWith("unit.") ? `, usual ${found.value > found.threshold ? "at most" : "at least"} ${figure(found.statistic, found.threshold)}` : "";
  return `${measure(alert)} ${figure(found.statistic, found.value)}${before}${usual}, on ${count(found.samples)} rows`;
}

// What was measured, of what: "psi.price" is the drift of price, "predictor.silent_seconds" how long the predictor was silent.
function measure({ evidence: { statistic }, pipeline }) {
  const [first, ...others] = statistic.split(".");
  if (!others.length) return words(first);
  const rest = others.join(".");
  return pipeline === "_system" ? `${first}: ${words(rest)}` : `${rest}: ${MEASURES[first] ?? words(first)}`;
}

const MEASURES = { psi: "drift (PSI)", unit: "typical value" };
