// Incidents from fault to outcome, in sentences.

import { ago, capital, count, figure, h, moment, words } from "./dom.js";
import { evidence } from "./panels.js";

const STATE = {
  open: ["busy", "looking into it"],
  acting: ["busy", "acting"],
  verifying: ["busy", "checking that it helped"],
  awaiting_approval: ["warn", "waits for a person"],
  verified: ["good", "helped"],
  undone: ["warn", "undone"],
  escalated: ["bad", "a person is needed"],
  resolved: ["good", "resolved"],
  expired: ["none", "expired"],
};

const ACTIONS = {
  retrain: "Retrains the model",
  rollback: "Goes back to an earlier version",
  promote: "Promotes a version",
  shift_traffic: "Shifts traffic between versions",
  hold: "Holds learning",
  release_hold: "Lets learning go on",
  quarantine_source: "Puts a source under quarantine",
  release_source: "Releases a source from quarantine",
  recalibrate: "Recalibrates the model",
  restart_service: "Restarts a service",
  scale_service: "Scales a service",
  notify: "Tells a person",
};

const OUTCOMES = { unrestored: "warn", done: "none" };

export function incidentList(incidents, details, { open, toggle, decide }) {
  const items = incidents.map((incident) => one(incident, details.get(incident.id), open.has(incident.id), toggle, decide));
  const body = items.length
    ? h("div", { class: "stack" }, items)
    : h("div", { class: "empty" }, h("b", {}, "No incident so far"), h("p", {}, "When an alert asks for an answer, everything that is noticed, decided, done and measured shows here."));
  return h("section", { class: "card incidents" }, h("h2", {}, "Incidents"), body);
}

function one(incident, detail, isOpen, toggle, decide) {
  const [tone, told] = STATE[incident.state] ?? ["none", words(incident.state)];
  const seconds = (Date.parse(incident.closed ?? incident.updated) - Date.parse(incident.opened)) / 1000;
  return h(
    "article",
    { class: "incident", "data-tone": tone, "data-incident": incident.id },
    h(
      "button",
      { class: "head", "aria-expanded": String(isOpen), onclick: () => toggle(incident.id) },
      h("span", { class: "chip", "data-tone": tone }, incident.progress ? `${told}: ${incident.progress.told}` : told),
      h("span", { class: "what" }, incident.summary),
      h("span", { class: "note" }, `${ago(incident.opened)}${incident.closed ? `, over in ${span(seconds)}` : ""}`),
    ),
    isOpen && h("div", { class: "story" }, incident.awaiting_approval && question(incident, decide), h("ol", {}, story(incident, detail).map(line))),
  );
}

const span = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

function question(incident, decide) {
  return h(
    "p",
    { class: "question" },
    "A person has to decide. ",
    h("button", { onclick: () => decide(incident.id, "approve") }, "Approve"),
    h("button", { class: "quiet", onclick: () => decide(incident.id, "reject") }, "Reject"),
  );
}

const line = ({ tone, title, text, extra, at, place }) =>
  h("li", { "data-tone": tone }, h("div", {}, h("b", {}, title), " ", text, extra && h("p", { class: "extra" }, extra)), h("span", { class: "note", title: place }, at ? moment(at) : ""));

// The steps as a person would tell them; until they are loaded, what the summary knows.
function story(incident, detail) {
  if (!detail) return [{ tone: "none", title: "Loading", text: "…" }];
  const verdicts = new Map(detail.actions.map((action) => [action.command, action]));
  const lines = detail.steps.flatMap((step) => {
    const told = (TELLERS[step.kind] ?? other)(step, detail, verdicts);
    return told ? [{ ...told, at: step.at, place: `${step.topic}/${step.partition}@${step.offset}` }] : [];
  });
  return withoutRepeats(lines);
}

const withoutRepeats = (lines) => lines.filter((each, i) => i === 0 || each.title !== lines[i - 1].title || each.text !== lines[i - 1].text);

const suspect = (cause) => [cause.kind, cause.what].filter(Boolean).map(words).join(" ");

const TELLERS = {
  alert_firing: ({ body }) => ({ tone: "bad", title: "Noticed:", text: body.summary, extra: evidence(body) }),
  alert_resolved: ({ body }) => ({ tone: "good", title: "Over:", text: `the alert on ${words(body.kind)} has ended.` }),
  incident_opened: (_, { cause }) => (cause?.kind ? { tone: "none", title: "Suspects first:", text: suspect(cause), extra: cause.detail } : null),
  triaged: ({ summary, body }) => ({ tone: "none", title: "Blamed:", text: body.diagnosis ? summary.replace(body.diagnosis, words) : summary }),
  command: ({ body }) => {
    if (body.action === "notify") return { tone: "none", title: "Told a person:", text: String(body.arguments.message ?? body.reason) };
    return { tone: "act", title: `${ACTIONS[body.action] ?? capital(words(body.action))}:`, text: body.reason, extra: expected(body.expects) };
  },
  command_succeeded: ({ body, summary }, detail, verdicts) => (verdicts.get(body.command)?.action === "notify" || toldByVersion(summary, detail) ? null : { tone: "act", title: "Done:", text: summary }),
  command_failed: ({ summary }) => ({ tone: "bad", title: "Failed:", text: summary }),
  command_refused: ({ summary }) => ({ tone: "warn", title: "Refused:", text: summary }),
  command_expired: ({ summary }) => ({ tone: "warn", title: "Came to nothing in time:", text: summary }),
  model_published: ({ topic, body }) => (topic === "audit" ? null : { tone: "act", title: `Version ${body.version} is now ${words(body.stage)}:`, text: body.reason || "no reason recorded" }),
  measuring: ({ summary, body }, { progress }) => (progress && body.rows === progress.rows ? { tone: "none", title: "So far:", text: summary } : null),
  verified: (step) => ({ tone: "good", title: "It helped:", text: measured(step), extra: step.summary }),
  not_verified: (step) => ({ tone: "warn", title: step.body.answer ? "It did not help:" : "It came to nothing:", text: measured(step), extra: step.summary }),
  unknown: (step) => ({ tone: "warn", title: "Not known whether it helped:", text: measured(step), extra: step.summary }),
  undone: ({ summary }) => ({ tone: "warn", title: "Taken back:", text: summary }),
  suppressed: ({ summary }) => ({ tone: "none", title: "Held back:", text: summary }),
  awaiting_approval: ({ summary }) => ({ tone: "warn", title: "Asks:", text: summary }),
  approved: ({ summary }) => ({ tone: "act", title: "Approved:", text: summary }),
  rejected: ({ summary }) => ({ tone: "warn", title: "Rejected:", text: summary }),
  acknowledged: ({ summary }) => ({ tone: "none", title: "Seen:", text: summary }),
  escalated: ({ summary }) => ({ tone: "bad", title: "Handed to a person:", text: summary }),
  incident_resolved: ({ summary, body }) => ({ tone: OUTCOMES[body.ending] ?? "good", title: "Outcome:", text: summary }),
  incident_expired: ({ summary }) => ({ tone: "warn", title: "Outcome:", text: summary }),
  command_issued: () => null,
  command_result: () => null,
  command_accepted: () => null,
  command_running: () => null,
};

// What a version's own line says is not said once more by the order that made it.
const toldByVersion = (summary, { steps }) => steps.some(({ kind, topic, body }) => kind === "model_published" && topic !== "audit" && body.reason && summary.endsWith(body.reason));

const other = ({ kind, summary }) => ({ tone: "none", title: `${capital(words(kind))}:`, text: summary });

function expected(expects) {
  if (!expects) return null;
  if (expects.metric === "alert.resolved") return "Expected: the alert ends.";
  const bound = expects.direction === "up" ? "at least" : "at most";
  return `Expected: ${words(expects.metric.split(".").pop())} of ${bound} ${figure(expects.metric, expects.bound)} over ${count(expects.rows)} rows.`;
}

function measured({ body, summary }) {
  if (body.measured === undefined || body.measured === null || !body.expects) return summary;
  const metric = body.expects.metric ?? "";
  const wanted = body.expects.metric === "alert.resolved" ? "" : `, wanted ${body.expects.direction === "up" ? "at least" : "at most"} ${figure(metric, body.expects.bound, body.measured)}`;
  return `${words(metric.split(".").pop())} ${figure(metric, body.measured, body.expects.bound)} over ${count(body.rows ?? 0)} rows${wanted}.`;
}
