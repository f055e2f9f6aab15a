// What people read: Chinese first, English by the switch. Keys are the codes of the engine where there are any.

export const texts = {
  title: ["统管 · 城市运行", "Tongguan · city operations"], skip: ["跳到案件列表", "Skip to the cases"],
  city_time: ["城市时间", "City time"], sections: ["版面", "Sections"], live_view: ["现场", "Live"], overview: ["驾驶舱", "Overview"], duty: ["值班", "Duty"],
  field: ["外勤", "Field"], map: ["地图", "Map"], cases: ["案件", "Cases"], alerts: ["报警", "Alerts"], report_case: ["上报", "Report"],
  levels_now: ["当前报警", "Open alerts"], stages_now: ["在办案件", "Open cases"],
  // signing in
  sign_in: ["登录", "Sign in"], sign_in_how: ["请打开终端里打印的登录链接；或在此输入姓名和令牌。", "Open the login link printed in the terminal, or enter your name and token here."], name: ["姓名", "Name"],
  token: ["令牌", "Token"], enter: ["进入", "Enter"], bad_token: ["姓名或令牌不符，或令牌已吊销", "Name and token do not fit, or the token was revoked"], too_many_tries: ["尝试过多，请稍后再试", "Too many tries; wait a little"],
  sign_out: ["退出登录", "Sign out"], posts: ["岗位", "Posts"], add_post: ["兼任岗位", "Add a post"],
  add_post_how: ["一人兼任几个岗位时，输入另一岗位的令牌；办理时各以其岗位留痕。", "Whoever holds several posts enters the token of each; a move is made and recorded by the post that may make it."],
  // how the engine is
  live: ["实时", "live"], connecting: ["连接中", "connecting"], lost: ["连接中断，正在重连", "connection lost, trying again"],
  behind: ["引擎滞后 {seconds} 秒，尚有 {waiting} 条记录待处理", "The engine is {seconds} s behind, {waiting} records wait"],
  overloaded: ["引擎过载：新读数暂缓受理，已受理的不会丢失", "The engine is overloaded: new readings are put off, accepted ones are safe"],
  not_ready: ["引擎未就绪：{why}", "The engine is not ready: {why}"],
  stale: ["数据可能已过时：{time} 之后未能更新", "This may be out of date: nothing could be loaded since {time}"],
  // lists
  search: ["编号、标题、传感器", "id, title, sensor"], find_cases: ["查找案件", "Find cases"], by_state: ["按状态筛选", "Filter by state"],
  all_states: ["全部在办", "All open"], closed_states: ["已办结", "Closed"], filters: ["筛选", "Filters"], all_categories: ["全部类别", "All categories"],
  all_departments: ["全部部门", "All departments"], any_flag: ["不限标记", "Any flag"], mine: ["待我办理", "For me to do"],
  views: ["视图", "Views"], save_view: ["存为视图", "Save as view"], view_name: ["视图名称", "Name of the view"], delete_view: ["删除视图", "Delete view"], save: ["保存", "Save"],
  everything: ["全部在办案件", "All open cases"], red_only: ["红色", "Red"], late_only: ["超期", "Overdue"], drills_only: ["演练", "Drills"], own_view: ["自定义", "Custom"], clear_filters: ["清除筛选", "Clear filters"],
  real_or_drill: ["实警或演练", "Real or drills"], real_and_drill: ["实警与演练", "Real and drills"], real_only: ["仅实警", "Real only"],
  no_cases: ["没有符合条件的案件", "No such cases"], no_alerts: ["暂无报警", "No alerts"], shown_of: ["{n} 件", "{n}"],
  new_case: ["新案件：{title}，{place}，{level}", "New case: {title}, {place}, {level}"], moved_case: ["案件 {title}：{move}", "Case {title}: {move}"],
  red_alert: ["红色报警：{title}，{place}", "Red alert: {title}, {place}"],
  // one case
  close_story: ["返回", "Back"], story: ["案情经过", "What happened"], present: ["当前读数", "Present reading"], moves: ["可办事项", "What you can do"],
  note: ["说明", "Note"], note_hint: ["办理说明；退回、返工、作废等须写明原因", "A note; returning, reworking, voiding … need a reason"], no_moves: ["当前没有您可办理的事项", "Nothing for you to do now"],
  due: ["新时限", "New due time"], into: ["并入案件编号", "Into case"], department: ["主办部门", "Department"], departments: ["派遣部门", "Dispatch to"], officer: ["网格员", "Grid officer"],
  grid: ["网格", "Grid"], place: ["位置", "Place"], level: ["级别", "Level"], category: ["类别", "Category"], state: ["状态", "State"], opened: ["上报时间", "Reported"], closed_t: ["结案时间", "Closed"],
  due_t: ["办理时限", "Due"], rework: ["返工", "Rework"], times: ["{n} 次", "{n}×"], sensor: ["传感器", "Sensor"], rule: ["规则", "Rule"], runbook: ["处置要点", "Runbook"],
  stale_case: ["案件刚有新的办理动作，已为您刷新，请看过后再办", "Another move came first; the case was refreshed, look at it again"],
  failed: ["未能办理：{why}", "Not done: {why}"], done: ["已办理：{move}", "Done: {move}"], reported_ok: ["已上报：{id}", "Reported: {id}"],
  orders: ["工单", "Work orders"], reports: ["群众上报", "Citizens' reports"], override: ["越过传感器核查（须写原因）", "Override the sensor (needs a reason)"], needs_reason: ["请先写明原因", "Write the reason first"],
  since: ["自 {time}", "since {time}"], cleared: ["已解除", "cleared"], yes: ["是", "yes"], no: ["否", "no"], no_value: ["暂无读数", "no reading yet"], whole_city: ["全城", "Whole city"], value_at: ["{time} 读数", "reading of {time}"],
  level_none: ["无报警", "no alert"], was: ["曾达{level}色", "was {level}"], none: ["—", "—"], drill: ["演练", "drill"], overdue: ["超期", "overdue"], supervised: ["督办", "supervised"],
  recovered: ["已恢复待确认", "recovered"], sensor_silent: ["传感器无数据", "sensor silent"], more_moves: ["延期、并案", "Extend, merge"], merged_into: ["已并入 {id}", "Merged into {id}"],
  centre: ["在地图上查看", "Show on the map"], print_file: ["打印案卷", "Print the file"], photos: ["现场照片", "Photos"], photo_of: ["{name} 于 {time} 上传", "by {name}, {time}"], add_photo: ["添加照片", "Add a photo"],
  photo_sent: ["照片已上传", "Photo uploaded"], photo_failed: ["照片未能上传：{why}", "Photo not uploaded: {why}"], loading: ["载入中…", "Loading…"], threshold: ["{level} {value}", "{level} {value}"],
  chart_of: ["{kind}：最高 {value}（{time}）", "{kind}: highest {value} ({time})"],
  // report
  what_happened: ["情况", "What happened"], contact: ["联系人", "Contact"], phone: ["电话", "Phone"], cancel: ["取消", "Cancel"], send: ["提交", "Send"],
  pick_place: ["请在地图上点选位置（回车取地图中心，Esc 取消）", "Click the place on the map (Enter: its centre, Esc: cancel)"], place_is: ["位置：{lon}, {lat}", "Place: {lon}, {lat}"],
  // map
  map_is: ["城市网格与传感器地图；方向键移动，加减号缩放", "Map of grids and sensors; arrow keys move, plus and minus zoom"], no_map: ["此浏览器不能显示地图（需要 WebGL），其余功能不受影响", "This browser cannot draw the map (WebGL is needed); all else works"],
  zoom_in: ["放大", "Zoom in"], zoom_out: ["缩小", "Zoom out"], zones: ["管控区", "Zones"], vehicles: ["车辆", "Vehicles"], sensors: ["传感器", "Sensors"], legend: ["图例", "Legend"],
  silent: ["失联", "Silent"], path: ["辖区", "Area"], speed: ["车速", "Speed"],
  // overview
  open_cases: ["在办案件", "Open cases"], open_alerts: ["未解除报警", "Open alerts"], by_level: ["按级别", "By level"], by_department: ["按部门", "By department"], by_hour: ["近 24 小时", "Last 24 hours"],
  raised_h: ["报警", "raised"], opened_h: ["上报案件", "opened"], closed_h: ["结案", "closed"], slowest: ["办理最久", "Slowest cases"], silent_sensors: ["失联传感器", "Silent sensors"], by_area: ["按辖区", "By area"],
  area: ["辖区", "Area"], open_n: ["在办", "Open"], no_silent: ["没有失联的传感器", "No sensor is silent"], age: ["历时", "Age"], hour: ["时段", "Hour"], level_unknown: ["无级别", "none"], drills_n: ["演练（不计入）", "Drills (not counted)"],
  // duty
  on_duty: ["当班", "On duty now"], next_duty: ["下一班", "Next"], nobody: ["未排班", "Nobody is rostered"], handover: ["交接班", "Handover"], shift: ["本班", "This shift"], handed: ["历次交接", "Earlier handovers"],
  sign_over: ["签字交班", "Sign over"], hand_note: ["交班说明：重点案件、注意事项", "What the next shift must know"], taker: ["接班人", "Taken over by"], hand_done: ["已交班，待接班人签字", "Signed over; the next shift has to sign"], take_over: ["签字接班", "Sign for it"], taken_over: ["已接班", "Taken over"], open_list: ["待移交在办案件", "Open cases to hand over"],
  happened: ["本班发生", "Happened in this shift"], no_duty: ["本机未提供值班表", "No duty roster here"], post: ["岗位", "Post"], person: ["值班员", "Person"], from_to: ["时间", "Time"], not_for_role: ["当前岗位不能查看", "Not for your post"],
  // player
  player: ["演示播放", "Player"], pause: ["暂停", "Pause"], resume_play: ["继续", "Resume"], speed_is: ["倍速", "Speed"], jump: ["跳到", "Jump to"], scenario: ["场景", "Scenario"], minutes: ["快进 {n} 分钟", "{n} min on"], paused: ["已暂停", "paused"], prelude: ["快进前奏", "prelude"], hurrying: ["快进至 {time}", "hurrying to {time}"],
  // tools
  help: ["快捷键", "Keys"], help_close: ["关闭", "Close"], sound_on: ["声音开", "Sound on"], sound_off: ["声音关", "Sound off"], mute: ["静音", "Mute"], unmute: ["打开声音", "Unmute"], to_light: ["浅色", "Light"], to_night: ["夜间", "Night"],
  theme: ["切换明暗", "Switch theme"], language: ["切换语言", "Switch language"], keys_on: ["启用单键快捷键", "Single keys do things"], keyed: ["键", "Key"], does: ["作用", "Does"],
  k_next: ["下一条", "next"], k_before: ["上一条", "the one before"], k_open: ["打开", "open"], k_back: ["返回、关闭", "back, close"], k_search: ["查找", "search"], k_help: ["本页", "this page"], k_cases: ["案件列表", "cases"], k_alerts: ["报警列表", "alerts"],
  k_overview: ["驾驶舱", "overview"], k_duty: ["值班", "duty"], k_live: ["现场", "live view"], credit: ["地图由 MapLibre GL JS 绘制（BSD-3-Clause）", "Map drawn by MapLibre GL JS (BSD-3-Clause)"],
  // field
  my_work: ["我的工单", "My work"], no_work: ["没有待办工单", "Nothing to do"], take_photo: ["拍照", "Take a photo"], result_note: ["处置情况", "What was done"], back: ["返回", "Back"], refresh: ["刷新", "Refresh"], queued: ["信号不好，恢复后请重试", "No connection; try again when it is back"],
  // file
  case_file: ["城市运行管理案卷", "Case file"], printed: ["打印时间", "Printed"], print: ["打印", "Print"], signature: ["签字", "Signature"], time: ["时间", "Time"], what: ["事项", "Move"], who: ["办理人", "By"], readings_chart: ["读数曲线", "Readings"],
};

export const levels = { blue: ["蓝", "Blue"], yellow: ["黄", "Yellow"], orange: ["橙", "Orange"], red: ["红", "Red"] };
export const ranks = { blue: "Ⅳ", yellow: "Ⅲ", orange: "Ⅱ", red: "Ⅰ" };

export const states = {
  reported: ["待受理", "Reported"], accepted: ["已受理", "Accepted"], filed: ["已立案", "Filed"], dispatched: ["已派遣", "Dispatched"],
  returned: ["已回退", "Returned"], handling: ["处置中", "Handling"], handled: ["待核查", "Handled"], verified: ["已核查", "Verified"],
  closed: ["已结案", "Closed"], rejected: ["不予受理", "Rejected"], suspended: ["已挂账", "Suspended"], merged: ["已并案", "Merged"], void: ["已作废", "Void"],
};

export const moves = {
  report: ["上报", "Report"], accept: ["受理", "Accept"], reject: ["不予受理", "Reject"], file: ["立案", "File"], dispatch: ["派遣", "Dispatch"], return: ["回退", "Return"],
  start: ["开始处置", "Start"], finish: ["处置完成", "Finish"], verify: ["核查", "Verify"], verify_pass: ["核查通过", "Verify: pass"], verify_fail: ["返工", "Verify: rework"],
  close: ["结案", "Close"], extend: ["延期", "Extend"], suspend: ["挂账", "Suspend"], resume: ["恢复办理", "Resume"], supervise: ["督办", "Supervise"],
  merge: ["并案", "Merge"], unmerge: ["撤销并案", "Unmerge"], void: ["作废", "Void"], reopen: ["重新启动", "Reopen"], comment: ["批注", "Comment"], attach: ["附件", "Attach"],
  joined: ["群众再次上报", "Reported again"], absorbed: ["并入案件", "Took in a case"], released: ["移出并案", "Let a case go"],
};

export const roles = {
  operator: ["受理员", "operator"], dispatcher: ["派遣员", "dispatcher"], handler: ["处置人员", "handler"], inspector: ["核查员", "inspector"], supervisor: ["督办人员", "supervisor"],
  admin: ["管理员", "admin"], auditor: ["审计员", "auditor"], viewer: ["值班查看", "viewer"], citizen: ["市民", "citizen"], system: ["系统", "system"],
};

// name, English name, unit, English unit where it differs
export const kinds = {
  "gas.methane": ["甲烷浓度", "Methane", "%LEL"], "gas.methane_outdoor": ["室外甲烷浓度", "Outdoor methane", "%LEL"], "gas.methane_well": ["阀门井甲烷浓度", "Methane in a valve well", "%LEL"],
  "gas.methane_underground": ["地下空间甲烷浓度", "Methane underground", "%LEL"], "gas.pressure": ["燃气压力", "Gas pressure", "kPa"], "water.level": ["积水深度", "Ponding", "厘米", "cm"],
  "rain.minute": ["分钟雨量", "Rain per minute", "毫米", "mm"], "drain.level": ["管网充满度", "Drain filling", "%"], "drain.pump": ["排水泵运行", "Pump running", ""], "fire.smoke": ["烟雾", "Smoke", "%obs/m"],
  "fire.heat": ["温度", "Heat", "°C"], "fire.residual_current": ["剩余电流", "Residual current", "mA"], "fire.cable_temperature": ["电缆温度", "Cable temperature", "°C"], "fire.charge_temperature": ["充电电池温度", "Charging battery", "°C"],
  "fire.hydrant_pressure": ["消火栓水压", "Hydrant pressure", "MPa"], "waste.fill": ["垃圾桶满溢度", "Bin filling", "%"], "waste.weight": ["垃圾重量", "Waste weight", "kg"], "waste.collected": ["清运量", "Collected", "kg"],
  "vehicle.position": ["车速", "Vehicle speed", "km/h"], "device.battery": ["电池电量", "Battery", "%"], "video.flame": ["视频火焰", "Flame on video", ""], "video.smoke": ["视频烟雾", "Smoke on video", ""],
  "video.lane_blocked": ["视频通道占用", "Lane blocked on video", ""], "video.waste_overflow": ["视频垃圾满溢", "Overflow on video", ""], "video.dumping": ["视频偷倒", "Dumping on video", ""], "video.vendor": ["视频占道经营", "Vendor on video", ""],
  "video.spill": ["视频遗撒", "Spill on video", ""], "video.ponding": ["视频积水", "Ponding on video", ""], "video.parking": ["视频违停", "Parking on video", ""],
};

export const attrs = { plate: ["车牌", "Plate"], type: ["车型", "Type"], loaded: ["载货", "Loaded"], lifted: ["车厢举升", "Bed lifted"] };
export const attrValues = { muck: ["渣土车", "muck truck"], sanitation: ["环卫车", "sanitation"], patrol: ["巡查车", "patrol"] };

export const families = {
  gas: ["燃气", "Gas"], water: ["水情", "Water"], drain: ["排水", "Drains"], rain: ["雨情", "Rain"], fire: ["消防", "Fire"], waste: ["环卫", "Waste"], video: ["视频", "Video"], vehicle: ["车辆", "Vehicles"], other: ["其他", "Other"],
};

export const zones = {
  underpasses: ["下穿通道", "Underpasses"], no_vending: ["禁止设摊区", "No vending"], school: ["校园周边", "Schools"], no_dumping: ["禁倒区", "No dumping"],
  river_bank: ["河岸", "River banks"], fire_lane: ["消防通道", "Fire lanes"], muck_corridors: ["渣土运输路线", "Muck corridors"], sidewalks: ["人行道", "Sidewalks"],
};
