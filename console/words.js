// What people read, Chinese first. Keys are the codes of the engine where there are any.

const zh = {
  skip: "跳到案件列表", city_time: "城市时间", map: "地图", cases: "案件", alerts: "报警", report_case: "上报",
  search: "编号、标题、传感器", all_states: "全部在办", closed_states: "已办结", sign_in: "登录",
  sign_in_how: "请打开终端里打印的登录链接；或在此输入令牌。", token: "令牌", enter: "进入", bad_token: "令牌无效或已吊销",
  category: "类别", what_happened: "情况", contact: "联系人", phone: "电话", cancel: "取消", send: "提交",
  pick_place: "请在地图上点选位置（回车取地图中心，Esc 取消）", place_is: "位置：{lon}, {lat}", live: "实时", connecting: "连接中", lost: "连接中断，正在重连",
  behind: "引擎滞后 {seconds} 秒，尚有 {waiting} 条记录待处理", overloaded: "引擎过载：新读数暂缓受理，已受理的不会丢失",
  not_ready: "引擎未就绪：{why}", no_cases: "暂无在办案件", no_alerts: "暂无报警", new_case: "新案件：{title}，{place}，{level}",
  moved_case: "案件 {title}：{move}", close_story: "返回", story: "案情经过", present: "当前读数", moves: "可办事项",
  note: "说明", note_hint: "办理说明；退回、返工、作废等须写明原因", no_moves: "当前没有您可办理的事项",
  due: "新时限", into: "并入案件编号", department: "主办部门", departments: "派遣部门", officer: "网格员", grid: "网格", place: "位置", level: "级别",
  opened: "上报时间", due_t: "办理时限", rework: "返工", times: "{n} 次", sensor: "传感器", rule: "规则", version: "版本",
  stale_case: "案件刚有新的办理动作，已为您刷新，请看过后再办", failed: "未能办理：{why}", done: "已办理：{move}",
  reported_ok: "已上报：{id}", orders: "工单", reports: "群众上报", override: "越过传感器核查（须写原因）", needs_reason: "请先写明原因",
  since: "自 {time}", cleared: "已解除", no_value: "暂无读数", whole_city: "全城", readings: "读数", value_at: "{time} 读数",
  level_none: "无报警", was: "曾达{level}色",  none: "—", drill: "演练", overdue: "超期", supervised: "督办", recovered: "已恢复待确认", sensor_silent: "传感器无数据",
  more_moves: "延期、并案", kinds_legend: "传感器", levels_legend: "报警级别", sign_out: "退出", rain: "降雨", centre: "在地图上查看", loading: "载入中…", merged_into: "已并入 {id}",
};

const en = {
  skip: "Skip to the cases", city_time: "City time", map: "Map", cases: "Cases", alerts: "Alerts", report_case: "Report",
  search: "id, title, sensor", all_states: "All open", closed_states: "Closed", sign_in: "Sign in",
  sign_in_how: "Open the login link printed in the terminal, or enter a token here.", token: "Token", enter: "Enter", bad_token: "The token is unknown or revoked",
  category: "Category", what_happened: "What happened", contact: "Contact", phone: "Phone", cancel: "Cancel", send: "Send",
  pick_place: "Click the place on the map (Enter: its centre, Esc: cancel)", place_is: "Place: {lon}, {lat}", live: "live", connecting: "connecting", lost: "connection lost, trying again",
  behind: "The engine is {seconds} s behind, {waiting} records wait", overloaded: "The engine is overloaded: new readings are put off, accepted ones are safe",
  not_ready: "The engine is not ready: {why}", no_cases: "No open cases", no_alerts: "No alerts", new_case: "New case: {title}, {place}, {level}",
  moved_case: "Case {title}: {move}", close_story: "Back", story: "What happened", present: "Present reading", moves: "What you can do",
  note: "Note", note_hint: "A note; returning, reworking, voiding … need a reason", no_moves: "Nothing for you to do now",
  due: "New due time", into: "Into case", department: "Department", departments: "Dispatch to", officer: "Grid officer", grid: "Grid", place: "Place", level: "Level",
  opened: "Reported", due_t: "Due", rework: "Rework", times: "{n}×", sensor: "Sensor", rule: "Rule", version: "Version",
  stale_case: "Another move came first; the case was refreshed, look at it again", failed: "Not done: {why}", done: "Done: {move}",
  reported_ok: "Reported: {id}", orders: "Work orders", reports: "Citizens' reports", override: "Override the sensor (needs a reason)", needs_reason: "Write the reason first",
  since: "since {time}", cleared: "cleared", no_value: "no reading yet", whole_city: "Whole city", readings: "readings", value_at: "reading of {time}",
  level_none: "no alert", was: "was {level}",  none: "—", drill: "drill", overdue: "overdue", supervised: "supervised", recovered: "recovered", sensor_silent: "sensor silent",
  more_moves: "Extend, merge", kinds_legend: "Sensors", levels_legend: "Levels", sign_out: "Sign out", rain: "Rain", centre: "Show on the map", loading: "Loading…", merged_into: "Merged into {id}",
};

const levels = { blue: ["蓝", "Blue"], yellow: ["黄", "Yellow"], orange: ["橙", "Orange"], red: ["红", "Red"] };

const states = {
  reported: ["待受理", "Reported"], accepted: ["已受理", "Accepted"], filed: ["已立案", "Filed"], dispatched: ["已派遣", "Dispatched"],
  returned: ["已回退", "Returned"], handling: ["处置中", "Handling"], handled: ["待核查", "Handled"], verified: ["已核查", "Verified"],
  closed: ["已结案", "Closed"], rejected: ["不予受理", "Rejected"], suspended: ["已挂账", "Suspended"], merged: ["已并案", "Merged"], void: ["已作废", "Void"],
};

const moves = {
  report: ["上报", "Report"], accept: ["受理", "Accept"], reject: ["不予受理", "Reject"], file: ["立案", "File"], dispatch: ["派遣", "Dispatch"], return: ["回退", "Return"],
  start: ["开始处置", "Start"], finish: ["处置完成", "Finish"], verify: ["核查", "Verify"], verify_pass: ["核查通过", "Verify: pass"], verify_fail: ["返工", "Verify: rework"],
  close: ["结案", "Close"], extend: ["延期", "Extend"], suspend: ["挂账", "Suspend"], resume: ["恢复办理", "Resume"], supervise: ["督办", "Supervise"],
  merge: ["并案", "Merge"], unmerge: ["撤销并案", "Unmerge"], void: ["作废", "Void"], reopen: ["重新启动", "Reopen"], comment: ["批注", "Comment"], attach: ["附件", "Attach"],
  joined: ["群众再次上报", "Reported again"], absorbed: ["并入案件", "Took in a case"], released: ["移出并案", "Let a case go"],
};

const roles = {
  operator: ["受理员", "operator"], dispatcher: ["派遣员", "dispatcher"], handler: ["处置人员", "handler"], inspector: ["核查员", "inspector"], supervisor: ["督办人员", "supervisor"],
  admin: ["管理员", "admin"], auditor: ["审计员", "auditor"], viewer: ["值班查看", "viewer"], citizen: ["市民", "citizen"], system: ["系统", "system"],
};

const kinds = {
  "gas.methane": ["甲烷浓度", "Methane", "%LEL"], "gas.pressure": ["燃气压力", "Gas pressure", "kPa"], "water.level": ["积水深度", "Ponding", "厘米", "cm"],
  "rain.minute": ["分钟雨量", "Rain per minute", "毫米", "mm"], "drain.level": ["管网充满度", "Drain filling", "%"], "fire.smoke": ["烟雾", "Smoke", "%obs/m"], "fire.heat": ["温度", "Heat", "°C"],
  "fire.residual_current": ["剩余电流", "Residual current", "mA"], "fire.hydrant_pressure": ["消火栓水压", "Hydrant pressure", "MPa"], "waste.fill": ["垃圾桶满溢度", "Bin filling", "%"],
  "waste.weight": ["垃圾重量", "Waste weight", "kg"], "vehicle.position": ["车速", "Vehicle speed", "km/h"],
};

let english = localStorage.getItem("language") === "en";

export const isEnglish = () => english;

export function setEnglish(on) {
  english = on;
  localStorage.setItem("language", on ? "en" : "zh");
}

const pick = (table, key) => (table[key] ? table[key][english ? 1 : 0] : key);

export const say = (key, values = {}) =>
  ((english ? en : zh)[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
export const levelWord = (level) => (level ? pick(levels, level) : say("level_none"));
export const stateWord = (state) => pick(states, state);
export const moveWord = (move) => pick(moves, move);
export const roleWord = (role) => pick(roles, role);
export const kindWord = (kind) => pick(kinds, kind);

export function amount(kind, value) {
  if (value === null || value === undefined) return say("no_value");
  const unit = kinds[kind] ? (english ? kinds[kind][3] : undefined) ?? kinds[kind][2] : "";
  const figure = Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toFixed(2)).toString();
  return `${figure} ${unit}`.trim();
}

// the value that a rule decided on: after its window, and in no unit where it is an expression
export function measured(rule, kind, value) {
  if (value === null || value === undefined) return say("no_value");
  const plain = Number(value.toFixed(2)).toString();
  if (rule?.measure && rule.measure !== "v") return plain;
  if (rule?.window?.agg === "count") return `${plain} ${english ? "times" : "次"}`;
  return rule?.window?.agg === "rate" ? `${amount(kind, value)}/${english ? "min" : "分钟"}` : amount(kind, value);
}

const clock = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", month: "2-digit", day: "2-digit" });

export const time = (ms) => (ms === null || ms === undefined ? say("none") : clock.format(ms));
export const dayTime = (ms) => (ms === null || ms === undefined ? say("none") : `${day.format(ms)} ${clock.format(ms)}`);
export const STATES = states;
