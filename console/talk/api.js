// Talking to the engine with the session's cookie; problems become errors with a code.
//
// One person may hold several posts (受理 and 派遣, say): the session is the first, a token stands for each other. Lists
// are asked for by the first post; a move is made by the post that may make it, and is recorded as that post's.

import { learn, useZone } from "../words/words.js";

let tokens = JSON.parse(sessionStorage.getItem("tokens") ?? "[]");

export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

function keep(list) {
  tokens = list;
  if (list.length) sessionStorage.setItem("tokens", JSON.stringify(list));
  else sessionStorage.removeItem("tokens");
}

// the callers that can be asked as: the session's (null), then each token's
const callers = () => [null, ...tokens];

async function send(method, path, { body, headers = {}, as = null } = {}) {
  const all = { accept: "application/json", ...headers };
  if (as) all.authorization = `Bearer ${as}`;
  const plain = body === undefined || body instanceof Blob;
  if (body !== undefined) all["content-type"] = plain ? body.type : "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers: all, body: plain ? body : JSON.stringify(body), credentials: "same-origin" });
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
const get = (path, values = {}) => send("GET", path + query(values));
const caseAt = (id, rest = "") => `/api/v1/cases/${encodeURIComponent(id)}${rest}`;

// crypto.randomUUID is there on loopback and https only
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// ---- who is asking

export const logIn = (name, token) => send("POST", "/api/v1/login", { body: { name, token } });

// everyone whom this browser may act as, the session's first; a post whose token ended is dropped
export async function posts() {
  const first = await send("GET", "/api/v1/me");
  const found = await Promise.allSettled(tokens.map((as) => send("GET", "/api/v1/me", { as })));
  keep(tokens.filter((_, i) => found[i].reason?.status !== 401));
  return [first, ...found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))];
}

export async function addToken(token) {
  const actor = await send("GET", "/api/v1/me", { as: token });
  if (!tokens.includes(token)) keep([...tokens, token]);
  return actor;
}

export async function leave() {
  keep([]);
  await send("POST", "/logout").catch(() => null);
}

// ---- what there is

// how the engine is; times are shown as the city's clocks have them
export async function status() {
  const found = await get("/api/v1/status");
  useZone(found.tz);
  return found;
}
export const categories = () => get("/api/v1/categories");
export const areas = (level, within) => get("/api/v1/grids.geojson", { level, within });
export const zones = () => get("/api/v1/zones.geojson");
export const sensors = (since) => get("/api/v1/sensors.geojson", { since });
export const attrs = (sensor, kind) => get(`/api/v1/sensors/${encodeURIComponent(sensor)}/attrs`, { kind });
export const overview = (grid) => get("/api/v1/overview", { grid });
export const cases = (values) => get("/api/v1/cases", values);
export const values = (id) => get(caseAt(id, "/values"));
export const changedAlerts = (after) => get("/api/v1/alerts/changed", { after });
export const duty = () => get("/api/v1/duty");
export const handover = () => get("/api/v1/handover");
export const player = () => get("/api/v1/player");
export const ticket = () => send("POST", "/api/v1/stream/ticket");

// the rules by id; what rules, categories, departments and kinds are called is learnt in both languages
export async function rules() {
  const [{ rules: found }, { categories: kept, departments }, { kinds }] = await Promise.all([get("/api/v1/rules"), categories(), get("/api/v1/kinds")]);
  learn([...found, ...kept, ...departments], kinds);
  return new Map(found.map((rule) => [rule.id, rule]));
}

// all pages of a list of cases or alerts
export async function everyPage(list, path, values) {
  const rows = [];
  let cursor;
  do {
    const page = await get(path, { ...values, limit: 1000, cursor });
    rows.push(...page[list]);
    cursor = page.cursor;
  } while (cursor);
  return rows;
}
export const openCases = () => everyPage("cases", "/api/v1/cases", { open: true });
export const openAlerts = () => everyPage("alerts", "/api/v1/alerts", {});

// one case as the first post that sees it has it, with every post's moves; `by` names whose move it is
export async function oneCase(id) {
  const seen = await Promise.allSettled(callers().map((as) => send("GET", caseAt(id), { as })));
  const found = seen.find((one) => one.status === "fulfilled");
  if (!found) throw seen[0].reason;
  const by = new Map();
  seen.forEach((one, i) => {
    for (const move of one.value?.case.moves ?? []) if (!by.has(move)) by.set(move, callers()[i]);
  });
  const detail = found.value;
  detail.case.moves = [...by.keys()];
  return { ...detail, by };
}

// ---- what people do

export const move = (id, version, key, body, as) =>
  send("POST", caseAt(id, "/moves"), { body, as, headers: { "if-match": `"${version}"`, "idempotency-key": key } });

export async function report(key, body) {
  let refused;
  for (const as of callers()) {
    try {
      return await send("POST", "/api/v1/cases", { body, as, headers: { "idempotency-key": key } });
    } catch (problem) {
      if (problem.status !== 403) throw problem;
      refused = problem;
    }
  }
  throw refused;
}

export const signOver = (body) => send("POST", "/api/v1/handover", { body });
export const takeOver = (number, body) => send("POST", `/api/v1/handover/${number}/sign`, { body });
export const play = (body) => send("POST", "/api/v1/player", { body });
export const attachments = (id) => get(caseAt(id, "/attachments"));
export const attach = (id, photo, as) => send("POST", caseAt(id, "/attachments"), { body: photo, as });
