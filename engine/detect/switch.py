"""The end of episodes whose rule changed or went with a plan (spec/readings.md, "The plan")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.detect.episodes import Episodes
from engine.detect.items import Items
from engine.detect.kernels import layout as at
from engine.detect.kernels.compiled import NEVER
from engine.detect.rule_state import RuleState, Told
from rules.plan import Plan


def cleared_by_plan(gone: Sequence[RuleState], episodes: Episodes, plan: Plan, order_ms: int) -> Items:
    """Clear every open episode of rules that are no longer the same, in order of (rule, sensor, kind).

    `t` is the order time of the plan record; evidence and place are the last reading's, as of a timer.
    """
    told = Told()
    for number, state in enumerate(gone):
        slots = state.state[: state.slot_count]
        slots = slots[slots[:, at.LEVEL] > 0]
        told.room(len(slots))
        out = told.out[told.n : told.n + len(slots)]
        out[:] = 0
        out[:, at.O_PHASE] = at.TIMER
        out[:, at.O_RULE] = number
        out[:, at.O_SERIES] = slots[:, at.SERIES]
        out[:, at.O_CODE] = at.CLEARED
        out[:, at.O_CAUSE] = at.BY_PLAN
        out[:, at.O_PREVIOUS] = state.parameters[at.P_CODE + slots[:, at.LEVEL] - 1]
        out[:, at.O_T] = order_ms
        out[:, at.O_SINCE] = NEVER
        out[:, at.O_FIRST] = out[:, at.O_LAST] = slots[:, at.SEEN_OFFSET]
        out[:, at.O_LON], out[:, at.O_LAT] = slots[:, at.LON], slots[:, at.LAT]
        out[:, at.O_RAISED] = slots[:, at.RAISED]
        out[:, at.O_SEQ] = slots[:, at.SEQ] + 1
        out.view(np.float64)[:, at.O_VALUE] = np.nan
        told.n += len(slots)
    return episodes.words(told, gone, plan)
