"""The canonical form of a rule, kind and registry row: plain data in which equal meanings are equal."""

from __future__ import annotations

from typing import Any

from geo import NO_PLACE
from rules.kinds import Kind
from rules.model import SPAN, CaseSpec, Correlation, Enabled, Level, MergeBy, Rule, Window
from rules.registry import Row
from rules.schedule import DAYS, Schedule

Data = dict[str, Any]


def rule_data(rule: Rule) -> Data:
    """Return a rule in the shape of its file, defaults and expansions written out; `rules.rule_file` reads it again."""
    data: Data = {"id": rule.id, "version": rule.version, "enabled": _ENABLED[rule.enabled]}
    said = {"title": rule.title, "source": rule.source, "runbook": rule.runbook}
    data |= {name: text for name, text in said.items() if text}
    if rule.case is not None:
        data["case"] = _case(rule.case)
    if rule.correlate is not None:
        return data | _correlation(rule.correlate)
    data["reads"] = list(rule.reads)
    data["levels"] = {level.name.word: _level(level) for level in rule.levels}
    if rule.absent_ms is None:
        data["clear_for"] = _ms(rule.clear_for_ms)
    for name, value in (("max_gap", rule.max_gap_ms), ("quiet", rule.quiet_ms), ("absent", rule.absent_ms)):
        if value is not None:
            data[name] = _ms(value)
    if rule.absent_ms is not None and rule.schedule is not None:
        data["absent"] = SPAN
    for name, expression in (("where", rule.where), ("measure", rule.measure)):
        if expression is not None:
            data[name] = expression.text
    if rule.window is not None:
        data["window"] = _window(rule.window)
    if rule.schedule is not None:
        data["schedule"] = _schedule(rule.schedule)
    return data


_ENABLED: dict[Enabled, bool | str] = {Enabled.ON: True, Enabled.OFF: False, Enabled.SHADOW: "shadow"}


def kind_data(kind: Kind) -> Data:
    return {"name": kind.name, "unit": kind.unit, "range": [kind.low, kind.high], "title": kind.title}


def row_data(row: Row) -> list[Any]:
    """Return a registry row as a list; null for no place."""
    place = None if row.lon_e7 == NO_PLACE else [row.lon_e7, row.lat_e7]
    return [row.sensor, row.kind, place, row.department, row.site, row.since_ms, row.gateway, row.drill]


def row_of(data: list[Any]) -> Row:
    """Read what `row_data` wrote."""
    sensor, kind, place, department, site, since_ms, gateway, drill = data
    lon_e7, lat_e7 = (NO_PLACE, NO_PLACE) if place is None else place
    return Row(sensor, kind, lon_e7, lat_e7, department, site, since_ms, gateway, drill)


def _ms(value: int) -> str:
    return f"{value}ms"


def _level(level: Level) -> Data:
    if level.set is None:
        return {}
    data: Data = {"set": str(level.set), "for": _ms(level.for_ms)}
    return data if level.clear is None else data | {"clear": str(level.clear)}


def _window(window: Window) -> Data:
    panes: Data = {"step": _ms(window.step_ms)} if window.last is None else {"last": window.last}
    return {"agg": window.agg.word, "over": _ms(window.over_ms)} | panes


def _schedule(schedule: Schedule) -> Data:
    spans = [
        {"days": [DAYS[day] for day in span.days], "from": _clock(span.from_minute), "to": _clock(span.to_minute)}
        for span in schedule.spans
    ]
    return {"tz": schedule.tz, "inactive" if schedule.inverted else "active": spans}


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _case(case: CaseSpec) -> Data:
    merge: Data = (
        {"near": {"metres": case.merge.metres}} if case.merge.by is MergeBy.NEAR else {"by": case.merge.by.value}
    )
    if case.merge.within_ms is not None:
        merge["within"] = _ms(case.merge.within_ms)
    return {
        "category": case.category,
        "department": case.department,
        "auto": case.auto.value,
        "close": case.close.value,
        "merge": merge,
        "priority": {level.word: number for level, number in case.priority},
        "verify_for": _ms(case.verify_for_ms),
        "verify_wait": _ms(case.verify_wait_ms),
    }


def _correlation(correlate: Correlation) -> Data:
    members = [{"alert": member.alert, "at_least": member.at_least.word} for member in correlate.members]
    near: Data = {"metres": correlate.metres} if correlate.same is None else {"same": correlate.same.value}
    return {"correlate": members, "within": _ms(correlate.within_ms), "near": near, "level": correlate.level.word}
