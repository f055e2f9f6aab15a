"""The Chinese words of cases (GB/T 30428.8) in one table; a city may rename what people see."""

from __future__ import annotations

STATES: dict[str, str] = {
    "reported": "待受理",
    "accepted": "已受理",
    "filed": "已立案",
    "dispatched": "已派遣",
    "returned": "已回退",
    "handling": "处置中",
    "handled": "待核查",
    "verified": "已核查",
    "closed": "已结案",
    "rejected": "不予受理",
    "suspended": "已挂账",
    "merged": "已并案",
    "void": "已作废",
}

MOVES: dict[str, str] = {
    "report": "上报",
    "accept": "受理",
    "reject": "不予受理",
    "file": "立案",
    "dispatch": "派遣",
    "return": "回退",
    "start": "处置",
    "finish": "反馈",
    "verify": "核查",
    "close": "结案",
    "extend": "延期",
    "suspend": "挂账",
    "resume": "恢复",
    "supervise": "督办",
    "merge": "并案",
    "unmerge": "撤销并案",
    "void": "作废",
    "reopen": "重新启动",
    "comment": "批注",
    "attach": "附件",
}

VERIFIED: dict[str, str] = {"pass": "核查通过", "fail": "返工"}

HAPPENINGS: dict[str, str] = {
    "joined": "群众再次上报",
    "absorbed": "并入案件",
    "released": "移出并案",
    "recovered": "处置前已自行恢复",
    "sensor_silent": "传感器无数据，转人工核查",
}

PLATFORM: dict[str, str] = {"report": "平台告警", "joined": "平台再次告警", "recovered": "平台告警已恢复"}

CHANGES: dict[str, str] = {"raised": "报警", "escalated": "升级", "downgraded": "降级", "cleared": "解除"}

LEVELS: dict[str, str] = {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"}

ORDERS: dict[str, str] = {"dispatched": "待处置", "returned": "已回退", "handling": "处置中", "handled": "已反馈"}

ROLES: dict[str, str] = {
    "operator": "受理员",
    "dispatcher": "派遣员",
    "handler": "处置人员",
    "inspector": "核查员",
    "supervisor": "督办人员",
    "admin": "管理员",
    "auditor": "审计员",
    "sensor": "感知设备",
    "viewer": "值班查看",
    "citizen": "市民",
    "system": "系统",
}

FLAGS: dict[str, str] = {
    "drill": "演练",
    "recovered": "已恢复待确认",
    "supervised": "督办",
    "sensor_silent": "传感器无数据",
    "overdue": "超期",
}


def event_title(move: str, data: dict[str, object]) -> str:
    """Return what an event is called: 上报, 核查通过, 橙色报警升级 …"""
    if move == "verify":
        return VERIFIED.get(str(data.get("result")), MOVES[move])
    if move == "alert":
        change = data.get("change")
        if isinstance(change, dict):
            level = LEVELS.get(str(change.get("level")), "")
            return level + CHANGES.get(str(change.get("change")), "报警变化")
        return "报警变化"
    if "platform" in data:
        return PLATFORM.get(move) or MOVES.get(move, move)
    return MOVES.get(move) or HAPPENINGS.get(move) or move
