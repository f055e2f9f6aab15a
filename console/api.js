// Talking to the engine: bearer token (if one was typed in) or the session cookie; problems become errors with a code.

let token = sessionStorage.getItem("token");

export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export function useToken(text) {
  token = text;
  if (text) sessionStorage.setItem("token", text);
  else sessionStorage.removeItem("token");
}

async function ask(method, path, { body, headers = {} } = {}) {
  const all = { accept: "application/json", ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (body !== undefined) all["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw new Problem(0, "unreachable", "unreachable");
  }
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch { /* an answer that is not ours keeps its status */ }
  throw new Problem(answer.status, problem.code ?? "http", problem.detail ?? answer.statusText);
}

const query = (values) => {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};

// crypto.randomUUID is there on loopback and https only
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const me = () => ask("GET", "/api/v1/me");
export const status = () => ask("GET", "/api/v1/status");
export const rules = () => ask("GET", "/api/v1/rules");
export const categories = () => ask("GET", "/api/v1/categories");
export const grids = (level) => ask("GET", `/api/v1/grids.geojson${query({ level })}`);
export const cases = (values) => ask("GET", `/api/v1/cases${query(values)}`);
export const oneCase = (id) => ask("GET", `/api/v1/cases/${encodeURIComponent(id)}`);
export const values = (id) => ask("GET", `/api/v1/cases/${encodeURIComponent(id)}/values`);
export const alerts = (values) => ask("GET", `/api/v1/alerts${query(values)}`);
export const ticket = () => ask("POST", "/api/v1/stream/ticket");
export const logout = () => ask("POST", "/logout");

export async function sensors(kind) {
  const rows = [];
  let after;
  do {
    const page = await ask("GET", `/api/v1/sensors${query({ kind, after })}`);
    rows.push(...page.sensors);
    after = page.next;
  } while (after);
  return rows;
}

export const move = (id, version, key, body) =>
  ask("POST", `/api/v1/cases/${encodeURIComponent(id)}/moves`, { body, headers: { "if-match": `"${version}"`, "idempotency-key": key } });
export const report = (key, body) => ask("POST", "/api/v1/cases", { body, headers: { "idempotency-key": key } });

// The stream of case events. A lost connection is opened anew with a fresh ticket from the last position seen; whoever
// listens loads its lists when told `open` or `reset`, so that nothing is missed in between.
export class Stream {
  constructor(tell) {
    this.tell = tell;
    this.last = null;
    this.source = null;
    this.connect();
  }

  async connect() {
    try {
      const { ticket: secret } = await ticket();
      this.source = new EventSource(`/api/v1/stream${query({ ticket: secret, after: this.last })}`);
    } catch (problem) {
      this.tell("lost", problem);
      if (problem.status !== 401) setTimeout(() => this.connect(), 2000);
      return;
    }
    this.source.onopen = () => this.tell("open");
    this.source.onerror = () => {
      this.source.close();
      this.tell("lost");
      setTimeout(() => this.connect(), 1500);
    };
    this.source.addEventListener("case", (event) => {
      this.last = event.lastEventId;
      this.tell("case", JSON.parse(event.data));
    });
    this.source.addEventListener("reset", (event) => {
      this.last = event.lastEventId;
      this.tell("reset");
    });
  }
}
