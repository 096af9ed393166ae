// The REST interface as a page, made from /openapi.json.

import { get } from "./api.js";
import { capital, h } from "./dom.js";
import { code } from "./panels.js";

const document_ = await get("/openapi.json");
const byTag = new Map();
for (const [path, methods] of Object.entries(document_.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const tag = operation.tags?.[0] ?? "other";
    byTag.set(tag, [...(byTag.get(tag) ?? []), { method: method.toUpperCase(), path, operation }]);
  }
}

const parameter = (each) => [h("dt", {}, code(each.name), each.required ? " (needed)" : ""), h("dd", {}, each.description ?? each.in)];

const entry = ({ method, path, operation }) =>
  h(
    "article",
    { class: "incident", "data-tone": method === "GET" ? "good" : "act" },
    h("div", { class: "story" }, h("p", {}, h("b", {}, `${method} `), code(path)), h("p", {}, operation.description ?? operation.summary ?? ""), h("dl", {}, (operation.parameters ?? []).map(parameter))),
  );

document.getElementById("main").replaceChildren(
  h("p", {}, "Machine-readable: ", h("a", { href: "/openapi.json" }, "/openapi.json")),
  ...[...byTag].map(([tag, entries]) => h("section", { class: "card" }, h("h2", {}, capital(tag)), h("div", { class: "stack" }, entries.map(entry)))),
);
