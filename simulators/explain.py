"""What will happen in a scenario with this seed, in sentences: nothing is played, the seed has drawn it all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from simulators.part import Told
from simulators.run import Simulation
from simulators.scenario import Fault

DEVICE = re.compile(
    "(?:烟温复合探测器|电气火灾探测器|烟感|高点监控|市容监控|道路监控|监控)(?=的|附近|出现|剩余|前|一带|起)"
)
FAULT_WORDS = {
    "drop_out": ("读数丢失", "lose readings"),
    "drift": ("读数漂移", "drift"),
    "stuck": ("读数卡死", "are stuck"),
    "noise": ("读数噪声变大", "grow noisy"),
    "clock_skew": ("时钟不准", "have a wrong clock"),
    "duplicate": ("读数重复上报", "say things twice"),
    "disorder": ("读数乱序到达", "come out of order"),
    "gateway_outage": ("网关中断", "lose their gateway"),
}


def explain(simulation: Simulation, lasts_ms: int, *, english: bool = False) -> Iterator[str]:
    """Yield sentences, Chinese or English: what city this is, then what happens and when, by time."""
    scenario = simulation.scenario
    hours, count = lasts_ms / 3_600_000, len(simulation.network)
    begins = _moment(simulation, 0.0)
    if english:
        yield f"{scenario.name}, seed {simulation.seed}: from {begins}, for {hours:g} h, seen by {count} sensors."
    else:
        title = f"{scenario.title}（{scenario.name}），种子{simulation.seed}"
        yield f"{title}：{begins}开始，历时{hours:g}小时，{count}个测点。"
    happens = list(events(simulation, lasts_ms, english=english))
    yield from happens or [nothing(english=english)]
    for fault in scenario.faults:
        yield _field(fault, english=english)
    if scenario.calls and happens:
        yield "Citizens call 12345 near what they see." if english else "附近市民看到、闻到后会拨打12345上报。"


def events(simulation: Simulation, lasts_ms: int, *, english: bool = False) -> Iterator[str]:
    """Yield a sentence for each thing that happens, by time."""
    told = sorted((one for part in simulation.world.parts for one in part.told()), key=lambda one: one.at_ms)
    yield from (_sentence(simulation, one, english=english) for one in told if one.at_ms <= lasts_ms)


def nothing(*, english: bool) -> str:
    """Return what is said where nothing happens."""
    return "Nothing goes wrong: an ordinary day." if english else "没有事故发生，是平常的一天。"


def _moment(simulation: Simulation, story_ms: float) -> str:
    zone = timedelta(hours=simulation.scenario.utc_offset_h)
    when = datetime.fromtimestamp((simulation.scenario.starts_ms + story_ms) / 1_000, UTC) + zone
    return f"{when:%Y-%m-%d %H:%M}"


def _sentence(simulation: Simulation, one: Told, *, english: bool) -> str:
    if english:
        return f"{_moment(simulation, one.at_ms)} {one.en[0].upper()}{one.en[1:]}"
    return f"{_moment(simulation, one.at_ms)} {DEVICE.sub('', one.zh)}"


def _field(fault: Fault, *, english: bool) -> str:
    zh, en = FAULT_WORDS[fault.fault]
    kinds = "、".join(fault.kinds) or ("all kinds" if english else "各类传感器")
    if english:
        return f"Of {kinds}, {100 * fault.share:g} % {en}."
    return f"{kinds}中有{100 * fault.share:g}%{zh}。"
