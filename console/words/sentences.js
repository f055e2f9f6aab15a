// A case's events as sentences that a duty officer reads: which sensor, what value, which rule, which move by whom.

import { isEnglish, kindWord, levelWord, measured, moveWord, roleWord, time, titled } from "./words.js";

const CHANGES = { raised: ["报警", "raised"], escalated: ["升级", "escalated"], downgraded: ["降级", "downgraded"], cleared: ["解除", "cleared"] };

const CAUSES = {
  quiet: ["长时间无新读数", "no readings for the time that the rule sets"],
  absent: ["传感器失联", "the sensor gave no sign of life"],
  schedule: ["规则时段结束", "the rule's hours ended"],
  plan: ["规则或设备台账变更", "the plan changed"],
};

const word = (pair) => pair?.[isEnglish() ? 1 : 0];

export function ruleName(id, rules) {
  const title = titled(rules.get(id)?.title);
  return title ? `${title}（${id}）` : id;
}

function changeTitle(change) {
  return isEnglish()
    ? `${change.level ? `${levelWord(change.level)} ` : ""}alert ${word(CHANGES[change.change])}`
    : `${change.level ? `${levelWord(change.level)}色` : ""}${change.change === "raised" ? "报警" : `报警${word(CHANGES[change.change])}`}`;
}

function changeText(change, rules) {
  const value = change.value === null || change.value === undefined ? "" : measured(rules.get(change.rule), change.kind, change.value);
  const rule = titled(rules.get(change.rule)?.title) ?? change.rule;
  const cause = CAUSES[change.cause];
  const held = change.since !== null && change.since !== undefined && change.since !== change.t;
  if (isEnglish()) {
    const said = value ? `read ${value}` : word(cause) ?? "changed";
    const steps = change.change === "cleared" ? `the ${levelWord(change.previous)} alert is cleared` : change.previous ? `from ${levelWord(change.previous)} to ${levelWord(change.level)}` : `${levelWord(change.level)} alert`;
    return `Sensor ${change.sensor} (${kindWord(change.kind)}) ${said}${held ? `, held since ${time(change.since)}` : ""}; by rule ${rule}: ${steps}.`;
  }
  const said = cause ? `${word(cause)}${value ? `，读数 ${value}` : ""}` : `读数 ${value}`;
  const lasting = held ? `，自 ${time(change.since)} 起持续` : "";
  const steps = {
    raised: `发出${levelWord(change.level)}色报警`,
    escalated: `由${levelWord(change.previous)}色升为${levelWord(change.level)}色`,
    downgraded: `由${levelWord(change.previous)}色降为${levelWord(change.level)}色`,
    cleared: `解除${levelWord(change.previous)}色报警`,
  }[change.change];
  return `传感器 ${change.sensor}（${kindWord(change.kind)}）${said}${lasting}，依规则“${rule}”${steps}。`;
}

function who(event) {
  if (event.role === "system") return roleWord("system");
  const name = `${roleWord(event.role)} ${event.actor}`;
  return /[\x21-\x7e]$/.test(name) && !isEnglish() ? `${name} ` : name;
}

function moveText(event, rules, departments) {
  const { data } = event;
  const orders = (data.orders ?? []).map((order) => titled(departments.get(order?.department)) ?? order?.department).filter(Boolean).join(isEnglish() ? ", " : "、");
  if (event.move === "verify") {
    const failed = data.result === "fail";
    if (isEnglish()) return `${who(event)} ${failed ? "sent it back for rework" : "found it repaired"}${data.override ? ", overriding the sensor" : ""}.`;
    if (event.role === "system") return failed ? "处置已反馈，但传感器读数仍高于解除值，系统核查不通过，退回返工。" : "传感器读数已恢复并稳定，系统核查通过。";
    return `${who(event)}${failed ? "核查不通过，退回返工" : "核查通过"}${data.override ? "（越过传感器核查）" : ""}。`;
  }
  if (event.move === "report" && event.role === "system") {
    const said = data.change ? changeText(data.change, rules) : "";
    return isEnglish() ? `${said} The system opened the case.`.trim() : `${said}系统自动上报案件。`;
  }
  if (event.move === "recovered") return isEnglish() ? "All alerts cleared before anyone came; someone still has to look." : "处置人员到场前报警已全部解除，仍须派人确认。";
  if (event.move === "sensor_silent") return isEnglish() ? "Nothing was heard of the sensor since the work was done; an inspector has to go." : "反馈后未再收到传感器数据，转人工核查。";
  const done = isEnglish() ? moveWord(event.move) : event.title;
  if (isEnglish()) return `${who(event)}: ${done.toLowerCase()}${orders ? ` to ${orders}` : ""}.`;
  return event.role === "system" ? `系统自动${done}${orders ? `至 ${orders}` : ""}。` : `${who(event)}${done}${orders ? `至 ${orders}` : ""}。`;
}

// title, text and level colour of one event
export function sentence(event, rules, departments) {
  const { change } = event.data;
  if (event.move === "alert" && change) return { title: changeTitle(change), text: changeText(change, rules), level: change.level };
  const title = isEnglish() ? moveWord(event.move === "verify" ? `verify_${event.data.result ?? "pass"}` : event.move) : event.title;
  return { title, text: moveText(event, rules, departments), level: event.move === "report" ? change?.level ?? null : null };
}
