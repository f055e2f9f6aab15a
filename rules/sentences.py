"""What a rule does, in sentences: Chinese for the duty room, English beside it."""

from __future__ import annotations

from typing import NamedTuple

from rules.catalogue import Catalogue
from rules.kinds import Kinds
from rules.model import Agg, Auto, CaseSpec, Close, Enabled, Level, LevelName, Merge, MergeBy, Rule, Same, Window
from rules.schedule import DAYS, Schedule, Span


class Said(NamedTuple):
    """One sentence in both languages."""

    zh: str
    en: str


LEVELS = {
    LevelName.BLUE: Said("蓝色", "blue"),
    LevelName.YELLOW: Said("黄色", "yellow"),
    LevelName.ORANGE: Said("橙色", "orange"),
    LevelName.RED: Said("红色", "red"),
}
_UNITS = (
    (86_400_000, "天", "day"),
    (3_600_000, "小时", "hour"),
    (60_000, "分钟", "minute"),
    (1_000, "秒", "second"),
    (1, "毫秒", "millisecond"),
)
_AGGS = {
    Agg.SUM: Said("总和", "sum"),
    Agg.COUNT: Said("次数", "number"),
    Agg.MEAN: Said("平均", "mean"),
    Agg.MIN: Said("最低", "lowest"),
    Agg.MAX: Said("最高", "highest"),
    Agg.DELTA: Said("变化（末次减首次）", "change (last less first)"),
    Agg.RATE: Said("每分钟的变化", "change per minute"),
    Agg.RANGE: Said("最高与最低之差", "difference of highest and lowest"),
}
_AUTO = {
    Auto.REPORT: Said("自动上报", "is reported"),
    Auto.FILE: Said("自动立案", "is filed"),
    Auto.DISPATCH: Said("自动派遣", "is dispatched"),
}
_CLOSE = {
    Close.SENSOR: Said("由传感器确认后结案", "the sensor confirms the repair"),
    Close.INSPECTOR: Said("由核查人员确认后结案", "an inspector confirms the repair"),
}
_SAME = {
    Same.GRID: Said("同一网格", "in one unit grid"),
    Same.COMMUNITY: Said("同一社区", "in one community"),
    Same.STREET: Said("同一街道", "in one street"),
}
_WEEK = "一二三四五六日"


def explain(rule: Rule, kinds: Kinds, catalogue: Catalogue) -> list[Said]:
    """Return the sentences of a rule, in the order in which a reading meets it."""
    said = [_correlation(rule)] if rule.correlate is not None else _detection(rule, kinds)
    if rule.enabled is Enabled.SHADOW:
        said.append(Said("试运行：只判断、只计数，不开案。", "In shadow: it decides and counts, and opens no case."))
    elif rule.enabled is Enabled.OFF:
        said.append(Said("已停用。", "Switched off."))
    said.append(_case(rule.case, catalogue))
    if rule.runbook:
        said.append(Said(f"处置：{rule.runbook}", f"What to do: {rule.runbook}"))
    if rule.source:
        said.append(Said(f"依据：{rule.source}", f"Source: {rule.source}"))
    return said


def _detection(rule: Rule, kinds: Kinds) -> list[Said]:
    said = [_reads(rule, kinds)]
    if rule.schedule is not None and rule.absent_ms is None:
        said.append(_schedule(rule.schedule))
    if rule.where is not None:
        said.append(Said(f"只看这样的读数：{rule.where.text}。", f"Only readings with {rule.where.text} are seen."))
    if rule.absent_ms is not None:
        return [*said, _absent(rule)]
    what = _measure(rule)
    said.append(Said(f"比较的是{what.zh}。", f"Compared is {what.en}."))
    said += [_level(level) for level in rule.levels]
    return said + _endings(rule)


def _reads(rule: Rule, kinds: Kinds) -> Said:
    found = [kinds.get(name) for name in rule.reads]
    zh = "、".join(f"{kind.title}（{kind.name}，{kind.unit}）" for kind in found if kind is not None)
    en = ", ".join(f"{kind.name} ({kind.unit})" for kind in found if kind is not None)
    return Said(f"看{zh}，每个设备各自判断。", f"It reads {en}; each sensor is judged by itself.")


def _measure(rule: Rule) -> Said:
    text = "v" if rule.measure is None else rule.measure.text
    plain = Said("读数本身", "the value itself") if rule.measure is None else Said(f" {text} ", text)
    window = rule.window
    return plain if window is None else _window(window, plain, counted=rule.measure is not None)


def _window(window: Window, plain: Said, *, counted: bool) -> Said:
    over, agg = _lasting(window.over_ms), _AGGS[window.agg]
    among = Said(f"最近 {over.zh}里", f"in the last {over.en}")
    if window.last is not None:
        among = Said(
            f"最近 {window.last} 次读数（{over.zh}以内）里", f"among the last {window.last} readings within {over.en}"
        )
    if window.agg is Agg.COUNT and not counted:
        return Said(f"{among.zh}读数的次数", f"the number of readings {among.en}")
    if window.agg is Agg.COUNT:
        return Said(f"{among.zh} {plain.zh.strip()} 成立的次数", f"how often {plain.en} holds {among.en}")
    return Said(f"{among.zh}{plain.zh}的{agg.zh}", f"the {agg.en} of {plain.en} {among.en}")


def _level(level: Level) -> Said:
    name, held = LEVELS[level.name], _lasting(level.for_ms)
    zh = f"{name.zh}：{level.set}" + (f"，持续 {held.zh}" if level.for_ms else "，当即")
    en = f"{name.en}: {level.set}" + (f", held for {held.en}" if level.for_ms else ", at once")
    if level.clear is None:
        return Said(f"{zh}；不再满足即解除。", f"{en}; clear when that no longer holds.")
    return Said(f"{zh}；{level.clear} 解除。", f"{en}; clear at {level.clear}.")


def _endings(rule: Rule) -> list[Said]:
    said = []
    if rule.clear_for_ms:
        for_ = _lasting(rule.clear_for_ms)
        said.append(Said(f"满足解除条件要持续 {for_.zh}才降级。", f"It goes down after being clear for {for_.en}."))
    if rule.max_gap_ms is not None:
        gap = _lasting(rule.max_gap_ms)
        said.append(
            Said(
                f"读数中断超过 {gap.zh}，持续时间重新算起。", f"After a gap of more than {gap.en} holding starts anew."
            )
        )
    if rule.quiet_ms is not None:
        quiet = _lasting(rule.quiet_ms)
        said.append(Said(f"{quiet.zh}没有读数就自行解除。", f"It clears by itself after {quiet.en} without a reading."))
    return said


def _absent(rule: Rule) -> Said:
    name = LEVELS[rule.levels[0].name]
    if rule.schedule is not None:
        spans = _spans(rule.schedule)
        return Said(
            f"{name.zh}：登记在册的设备在{spans.zh} 里一次读数也没有，时段一过就报；再来读数即解除。",
            f"{name.en}: raised at the end of a span {spans.en} in which a registered sensor said nothing; "
            "the next reading clears it.",
        )
    long = _lasting(rule.absent_ms or 0)
    return Said(
        f"{name.zh}：登记在册的设备 {long.zh}没有任何读数；再来读数即解除。",
        f"{name.en}: a registered sensor has said nothing for {long.en}; the next reading clears it.",
    )


def _schedule(schedule: Schedule) -> Said:
    spans = _spans(schedule)
    return Said(f"只在{spans.zh}判断，时段一过自行解除。", f"It looks only {spans.en}, and clears when that time ends.")


def _spans(schedule: Schedule) -> Said:
    zh = "、".join(_span(span).zh for span in schedule.spans)
    en = ", ".join(_span(span).en for span in schedule.spans)
    return Said(f"{zh}以外", f"outside {en}") if schedule.inverted else Said(zh, f"in {en}")


def _span(span: Span) -> Said:
    times = f"{_clock(span.from_minute)}–{_clock(span.to_minute)}"
    if len(span.days) == len(DAYS):
        return Said(f"每天 {times}", f"{times} every day")
    days = "、".join(f"周{_WEEK[day]}" for day in span.days)
    return Said(f"{days} {times}", f"{times} on {', '.join(DAYS[day] for day in span.days)}")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _case(case: CaseSpec | None, catalogue: Catalogue) -> Said:
    if case is None:
        return Said("只是预警，不开案。", "It warns and opens no case.")
    category = catalogue.category(case.category).title
    department = catalogue.departments.get(case.department, case.department)
    together = _merge(case.merge)
    auto, close = _AUTO[case.auto], _CLOSE[case.close]
    return Said(
        f"开案：{case.category} {category}，责任单位{department}，{auto.zh}，{close.zh}；{together.zh}。",
        f"Opens a case of {case.category} for {case.department}, which {auto.en}; {close.en}; {together.en}.",
    )


def _merge(merge: Merge) -> Said:
    found = {
        MergeBy.SENSOR: Said("同一设备的告警归到一个案件", "alerts of one sensor are one case"),
        MergeBy.GRID: Said("同一网格、同一类别的归到一个案件", "what is of one unit grid and category is one case"),
        MergeBy.NEAR: Said(
            f"{merge.metres or 0:g} 米以内的归到一个案件", f"what lies within {merge.metres or 0:g} m is one case"
        ),
    }[merge.by]
    if merge.within_ms is None:
        return found
    within = _lasting(merge.within_ms)
    return Said(f"{within.zh}内、{found.zh}", f"{found.en}, within {within.en}")


def _correlation(rule: Rule) -> Said:
    joined = rule.correlate
    assert joined is not None
    zh = "、".join(f"{member.alert}（{LEVELS[member.at_least].zh}以上）" for member in joined.members)
    en = ", ".join(f"{member.alert} (at least {LEVELS[member.at_least].en})" for member in joined.members)
    near = Said(f"相距 {joined.metres or 0:g} 米以内", f"within {joined.metres or 0:g} m")
    if joined.same is not None:
        near = _SAME[joined.same]
    within, name = _lasting(joined.within_ms), LEVELS[joined.level]
    return Said(
        f"{name.zh}：{within.zh}内、{near.zh}，{zh}都在告警。",
        f"{name.en}: {en} are all open, raised within {within.en}, {near.en}.",
    )


def _lasting(ms: int) -> Said:
    """Write a duration in its largest whole unit."""
    size, zh, en = next(unit for unit in _UNITS if ms % unit[0] == 0 and (ms >= unit[0] or unit[0] == 1))
    count = ms // size
    return Said(f"{count} {zh}", f"{count} {en}" + ("" if count == 1 else "s"))
