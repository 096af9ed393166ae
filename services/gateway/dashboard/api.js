// The gateway's REST interface and its live stream, as the page uses them.

export class Closed extends Error {}

export async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) throw new Closed("no session");
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json()).detail ?? `${path} answered ${answer.status}`);
  return answer.json();
}

// The printed link carries the key behind the #, which no server and no log ever sees.
export async function enter() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const key = fragment.get("key");
  if (!key) return;
  history.replaceState(null, "", location.pathname);
  await post("/v1/session", { key });
}

const EVENTS = ["alert", "incident", "metrics", "model", "health", "pipeline", "command", "command_result"];

// Calls `heard(name, data)` for each event. The browser reconnects by itself, and resumes where it was.
export function listen(heard, state) {
  const source = new EventSource("/v1/stream");
  source.addEventListener("open", () => state("live"));
  source.addEventListener("error", () => {
    state("reconnecting");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(heard, state), 3000);
  });
  for (const name of EVENTS) source.addEventListener(name, (event) => heard(name, JSON.parse(event.data)));
}
