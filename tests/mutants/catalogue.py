"""The list, by the question of the specification that each mistake answers wrongly."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DETECTOR = "engine/detect/detector.py"
ORDER = "engine/detect/order.py"
ORDER_KERNEL = "engine/detect/kernels/order.py"
LEVELS = "engine/detect/kernels/levels.py"
PANES = "engine/detect/kernels/windows.py"
ABSENT = "engine/detect/kernels/absent.py"
TIMERS = "engine/detect/kernels/timers.py"
EPISODES = "engine/detect/episodes.py"
RULE_STATE = "engine/detect/rule_state.py"
STATE = "engine/detect/state.py"
SWITCH = "engine/detect/switch.py"
CHECKPOINT = "engine/detect/checkpoint.py"
SCHEDULE = "rules/schedule.py"
CIVIL = "rules/civil.py"
EVALUATE = "rules/expression/evaluate.py"
STRINGS = "rules/expression/text.py"
PLAN = "rules/plan.py"
RASTER = "geo/raster.py"

TIME_AND_ORDER = [
    Mutant("a clock 5 min fast is suspect already", ORDER_KERNEL, "if at > now + SUSPECT_MS:", "if at >= now + SUSPECT_MS:"),
    Mutant("a suspect reading keeps its time", ORDER_KERNEL, "        used[i] = at\n", "        used[i] = t[i]\n"),
    Mutant("stale at exactly max_age", ORDER_KERNEL, "if at < now - max_age_ms:", "if at <= now - max_age_ms:"),
    Mutant("a stale reading moves W", ORDER_KERNEL, "            stale[i] = 1\n            continue\n", "            stale[i] = 1\n            newest[record[i]] = max(newest[record[i]], order)\n            continue\n"),
    Mutant("u is t, not at most the log's time", ORDER_KERNEL, "order = min(at, now)", "order = at"),
    Mutant("a reading at W waits", ORDER_KERNEL, "if order > watermark[r]:", "if order >= watermark[r]:"),
    Mutant("max_delay is not taken off", ORDER, "newest - max_delay_ms, NEVER)", "newest, NEVER)"),
    Mutant("W goes back", ORDER, "np.where(newest > NEVER, newest - max_delay_ms, NEVER), self.watermark)", "np.where(newest > NEVER, newest - max_delay_ms, NEVER), NEVER)"),
    Mutant("what waits and is due at W goes on waiting", ORDER, 'np.searchsorted(part.u, last, side="right")', 'np.searchsorted(part.u, last, side="left")'),
    Mutant("waiting readings leave with the record after", ORDER, "at.append(np.searchsorted(watermark, part.u[:goes]).astype(np.int32))", 'at.append(np.minimum(np.searchsorted(watermark, part.u[:goes], side="right"), len(watermark) - 1).astype(np.int32))'),
    Mutant("released by record only, not by u", ORDER, "np.argsort(by.astype(np.int64) * span + (u - low), kind=\"stable\")", "np.argsort(by, kind=\"stable\")"),
    Mutant("late goes before stale", ORDER_KERNEL, "        if stale[i]:\n            judged = STALE\n        elif t[i] > last[s]:", "        if stale[i] and t[i] > last[s]:\n            judged = STALE\n        elif t[i] > last[s]:"),
    Mutant("a duplicate is called late", ORDER_KERNEL, "elif t[i] == last[s]:\n            judged = DUPLICATE", "elif t[i] == last[s]:\n            judged = LATE"),
    Mutant("a duplicate is a good reading", ORDER_KERNEL, "elif t[i] > last[s]:", "elif t[i] >= last[s]:"),
    Mutant("the timer clock is W before the record", ORDER_KERNEL, "clock[i] = max(before[record[i]], u[i])", "clock[i] = before[record[i]]"),
    Mutant("the timer clock is u of the reading", ORDER_KERNEL, "clock[i] = max(before[record[i]], u[i])", "clock[i] = u[i]"),
    Mutant("a reading's own place beats the registry's", ORDER_KERNEL, "if fixed_lon[s] != -2147483648:", "if fixed_lon[s] != -2147483648 and lon[i] == -2147483648:"),
    Mutant("offline, the end fires timers due at the largest u", DETECTOR, "state.sweep(int(released.watermark[-1]), told)", "state.sweep(int(released.watermark[-1]) + 1, told)"),
]

LEVELS_AND_HOLD = [
    Mutant("> is >=", LEVELS, "    if op == 0:\n        return x > value", "    if op == 0:\n        return x >= value"),
    Mutant(">= is >", LEVELS, "    if op == 1:\n        return x >= value", "    if op == 1:\n        return x > value"),
    Mutant("< is <=", LEVELS, "    if op == 2:\n        return x < value", "    if op == 2:\n        return x <= value"),
    Mutant("<= is <", LEVELS, "    if op == 3:\n        return x <= value", "    if op == 3:\n        return x < value"),
    Mutant("`for` is reached 1 ms late", LEVELS, "if t - since >= P[P_FOR + number]:", "if t - since > P[P_FOR + number]:"),
    Mutant("`since` is not unset below the level", LEVELS, "        else:\n            S[slot, HEAD + number] = NEVER\n    S[slot, ACTIVE] = active", "    S[slot, ACTIVE] = active"),
    Mutant("`since` begins anew with each reading", LEVELS, "            if since == NEVER:\n                since = t", "            if True:\n                since = t"),
    Mutant("the same level is reached again", LEVELS, "if reached > level:", "if reached >= level and reached > 0:"),
    Mutant("escalation leaves clear_since", LEVELS, "    if reached > level:\n        S[slot, CLEAR_SINCE] = NEVER", "    if reached > level:\n        S[slot, CLEAR_SINCE] = S[slot, CLEAR_SINCE]"),
    Mutant("a reading that does not clear leaves clear_since", LEVELS, "    if not clears(P, C, level - 1, x):\n        S[slot, CLEAR_SINCE] = NEVER\n        return 0", "    if not clears(P, C, level - 1, x):\n        return 0"),
    Mutant("clear_for is over 1 ms late", LEVELS, "if t - S[slot, CLEAR_SINCE] < P[P_CLEAR_FOR]:", "if t - S[slot, CLEAR_SINCE] <= P[P_CLEAR_FOR]:"),
    Mutant("a change down leaves clear_since", LEVELS, "        return 0\n    S[slot, CLEAR_SINCE] = NEVER\n    lower = level - 1", "        return 0\n    lower = level - 1"),
    Mutant("down one level only", LEVELS, "while lower > 0 and clears(P, C, lower - 1, x):", "if lower > 0 and clears(P, C, lower - 1, x):"),
    Mutant("always down to none", LEVELS, "while lower > 0 and clears(P, C, lower - 1, x):", "while lower > 0:"),
    Mutant("clear by default is `set`", LEVELS, "return not holds(P[P_SET + number], x, C[number])", "return holds(P[P_SET + number], x, C[number])"),
    Mutant("max_gap at exactly the gap", LEVELS, "at - S[slot, SEEN] > gap:", "at - S[slot, SEEN] >= gap:"),
    Mutant("max_gap leaves clear_since", LEVELS, "                unset(S, slot, P[P_LEVELS])\n            S[slot, SEEN] = at", "                kept = S[slot, CLEAR_SINCE]\n                unset(S, slot, P[P_LEVELS])\n                S[slot, CLEAR_SINCE] = kept\n            S[slot, SEEN] = at"),
    Mutant("max_gap counts from the last change", LEVELS, "                unset(S, slot, P[P_LEVELS])\n            S[slot, SEEN] = at", "                unset(S, slot, P[P_LEVELS])\n                S[slot, SEEN] = at\n            elif S[slot, SEEN] == NEVER:\n                S[slot, SEEN] = at"),
    Mutant("where null is not counted as hidden", RULE_STATE, "np.where(column.tag == NULL, 2, column.num != 0)", "np.where(column.tag == NULL, 0, column.num != 0)"),
    Mutant("a null measure is zero", RULE_STATE, "hidden = (column.tag == NULL) | ~np.isfinite(x)", "hidden = ~np.isfinite(x)"),
]

WHAT_IS_TOLD = [
    Mutant("seq is not counted", LEVELS, "    elif code != 0:\n        S[slot, SEQ] += 1\n", "    elif code > DOWNGRADED:\n        S[slot, SEQ] += 1\n"),
    Mutant("seq goes on in the next episode", LEVELS, "        S[slot, RAISED] = t\n        S[slot, SEQ] = 0", "        S[slot, RAISED] = t"),
    Mutant("evidence of a raise begins with the deciding reading", LEVELS, "if code in (RAISED_, ESCALATED):", "if code == ESCALATED:"),
    Mutant("evidence of a clear begins with the deciding reading", LEVELS, "elif code in (DOWNGRADED, CLEARED):", "elif code == DOWNGRADED:"),
    Mutant("evidence of a timer: none", LEVELS, "        out[n, O_LAST] = S[slot, SEEN_OFFSET]\n        out[n, O_LON]", "        out[n, O_LAST] = NO_OFFSET\n        out[n, O_LON]"),
    Mutant("previous level is the new one", LEVELS, "out[n, O_PREVIOUS] = P[P_CODE + previous - 1] if previous > 0 else 0", "out[n, O_PREVIOUS] = P[P_CODE + level - 1] if level > 0 else 0"),
    Mutant("since of a raise is its t", LEVELS, "out[n, O_SINCE] = S[slot, HEAD + level - 1]", "out[n, O_SINCE] = t if code == RAISED_ else S[slot, HEAD + level - 1]"),
    Mutant("a still every 60 001 ms", LEVELS, "at - S[slot, TOLD] < STILL_MS", "at - S[slot, TOLD] <= STILL_MS"),
    Mutant("a still does not count for the next", LEVELS, "    S[slot, TOLD] = t\n", "    if code != 0:\n        S[slot, TOLD] = t\n"),
    Mutant("the value is the reading's, not the measure", LEVELS, "tell(P, S, slot, code, previous, at, value, offset[j]", "tell(P, S, slot, code, previous, at, x[j], offset[j]"),
    Mutant("a timer tells no place of a moving sensor", LEVELS, "            S[slot, LON] = lon[j]\n            S[slot, LAT] = lat[j]\n        S[slot, SEEN_OFFSET]", "            pass\n        S[slot, SEEN_OFFSET]"),
    Mutant("a timer of a fixed sensor tells no place", EPISODES, "fixed = lon != NO_PLACE", "fixed = lon == NO_PLACE"),
    Mutant("the mark stands before the changes of its tick", EPISODES, "AFTER = 2", "AFTER = -1"),
]

TIMERS_OF_SILENCE = [
    Mutant("a timer fires at due, before a reading at due", LEVELS, "            if S[slot, DUE] < passed:\n                n += fire(P, S, slot, out, outf, n)\n                if windowed:", "            if S[slot, DUE] <= passed:\n                n += fire(P, S, slot, out, outf, n)\n                if windowed:"),
    Mutant("quiet is due 1 ms late", LEVELS, "due = at + P[P_QUIET]", "due = at + P[P_QUIET] + 1"),
    Mutant("quiet counts from t, not from the timer clock", LEVELS, "arm(P, S, slot, max(at, clock[j]),", "arm(P, S, slot, at,"),
    Mutant("schedule goes before quiet", LEVELS, "    if end < due:", "    if end <= due:"),
    Mutant("a timer leaves the window", LEVELS, "                if windowed:\n                    empty(W, slot)\n        if gap >= 0:", "        if gap >= 0:"),
    Mutant("a timer swept at the end leaves the window", LEVELS, "            n += fire(P, S, slot, out, outf, n)\n            if P[P_AGG] >= 0:\n                empty(W, slot)", "            n += fire(P, S, slot, out, outf, n)"),
    Mutant("a timer leaves `since`", LEVELS, "    unset(S, slot, P[P_LEVELS])\n    S[slot, DUE] = FOREVER\n    return told", "    S[slot, DUE] = FOREVER\n    return told"),
    Mutant("the sweep fires what is due at W", LEVELS, "        if S[slot, DUE] < passed:\n            n += fire(P, S, slot, out, outf, n)\n            if P[P_AGG]", "        if S[slot, DUE] <= passed:\n            n += fire(P, S, slot, out, outf, n)\n            if P[P_AGG]"),
    Mutant("an end of schedule behind the clock fires late", LEVELS, "passed = u[row[j]] if armed >= 0 and record[armed] == record[row[j]] else clock[j]", "passed = u[row[j]] if armed >= 0 else clock[j]"),
    Mutant("timers of one time by sensor, then rule", EPISODES, "np.lexsort((rank, out[:, at.O_RULE], out[:, at.O_DUE],", "np.lexsort((out[:, at.O_RULE], rank, out[:, at.O_DUE],"),
    Mutant("timers of one place by rule, not by due time", EPISODES, "np.lexsort((rank, out[:, at.O_RULE], out[:, at.O_DUE],", "np.lexsort((rank, out[:, at.O_DUE], out[:, at.O_RULE],"),
    Mutant("timers by number of the series, not by name", EPISODES, "sorted(range(len(names)), key=names.__getitem__)", "list(range(len(names)))"),
    Mutant("a timer stands after a reading at its place", TIMERS, "            if u[middle] > due:\n                high = middle", "            if u[middle] >= due:\n                high = middle"),
    Mutant("a timer stands in the record after", TIMERS, "            if watermark[middle] > due:", "            if watermark[middle] > due + 1:"),
]

SIGNS_OF_LIFE = [
    Mutant("absent is due 1 ms early", ABSENT, "        S[slot, DUE] = S[slot, SEEN] + P[P_ABSENT]\n        S[slot, SEEN_OFFSET] = offset[j]", "        S[slot, DUE] = S[slot, SEEN] + P[P_ABSENT] - 1\n        S[slot, SEEN_OFFSET] = offset[j]"),
    Mutant("a sign of life at due is too late", ABSENT, "        if S[slot, DUE] < clock[j]:", "        if S[slot, DUE] <= clock[j]:"),
    Mutant("a sign of life counts at its t", ABSENT, "max(S[slot, SEEN], t[j], clock[j])", "max(S[slot, SEEN], t[j])"),
    Mutant("the last sign of life goes back", ABSENT, "max(S[slot, SEEN], t[j], clock[j])", "t[j]"),
    Mutant("since of the registry is not asked", ABSENT, "S[slot, SEEN] = max(start, since[i])", "S[slot, SEEN] = start"),
    Mutant("late readings are no signs of life", ABSENT, "        if slot < 0:\n            continue\n        if S[slot, DUE]", "        if slot < 0 or flag[j] & 3:\n            continue\n        if S[slot, DUE]"),
    Mutant("the clear of an absence has the value's previous level", ABSENT, "out[n, O_PREVIOUS] = P[P_CODE] if code == CLEARED else 0", "out[n, O_PREVIOUS] = 0"),
    Mutant("absent sweep fires at W", ABSENT, "        if S[slot, DUE] < passed:\n            fire(", "        if S[slot, DUE] <= passed:\n            fire("),
]

WINDOWS = [
    Mutant("a pane too many", PANES, "gone = expire(agg, pane - panes + 1, W, slot, pool)", "gone = expire(agg, pane - panes, W, slot, pool)"),
    Mutant("a pane too few", PANES, "gone = expire(agg, pane - panes + 1, W, slot, pool)", "gone = expire(agg, pane - panes + 2, W, slot, pool)"),
    Mutant("a pane ends 1 ms late", PANES, "W[slot, W_END] = (pane + 1) * step", "W[slot, W_END] = (pane + 1) * step + 1"),
    Mutant("sums are cut, not rounded", PANES, "scaled = np.int64(np.rint(x * 1e6))", "scaled = np.int64(x * 1e6)"),
    Mutant("half is rounded up, not to even", PANES, "scaled = np.int64(np.rint(x * 1e6))", "scaled = np.int64(np.floor(x * 1e6 + 0.5))"),
    Mutant("count counts false too", PANES, "if not boolean or x != 0.0:", "if True:"),
    Mutant("mean forgets the present reading", PANES, "return total if agg == SUM else total / count", "return total if agg == SUM else total / max(count - 1, 1)"),
    Mutant("an extreme that left is kept", PANES, "if gone or length == 0:", "if length == 0:"),
    Mutant("rate by the second", PANES, "return delta / (elapsed / 60000.0)", "return delta / (elapsed / 1000.0)"),
    Mutant("rate at one instant is zero", PANES, "    if elapsed == 0:\n        return np.nan", "    if elapsed == 0:\n        return 0.0"),
    Mutant("delta from the first reading ever", PANES, "            W[slot, W_HIGH] = pool[first, 1]\n            WF[slot, W_LOW] = poolf[first, 2]", "            W[slot, W_HIGH] = pool[first, 1]"),
]

SCHEDULES = [
    Mutant("an end that stands at t is passed over", SCHEDULE, "out[ends_here] = t[ends_here]", "out[ends_here] = self._first(self._first(t[ends_here], wanted=True), wanted=False)"),
    Mutant("`to` is included", SCHEDULE, "week[np.arange(first, first + length) % MINUTES_PER_WEEK] = True", "week[np.arange(first, first + length + 1) % MINUTES_PER_WEEK] = True"),
    Mutant("`from` is not included", SCHEDULE, "week[np.arange(first, first + length) % MINUTES_PER_WEEK] = True", "week[np.arange(first + 1, first + length) % MINUTES_PER_WEEK] = True"),
    Mutant("a span past midnight ends at midnight", SCHEDULE, "length = (span.to_minute - span.from_minute) % MINUTES_PER_DAY or MINUTES_PER_DAY", "length = (span.to_minute - span.from_minute) if span.to_minute > span.from_minute else MINUTES_PER_DAY - span.from_minute"),
    Mutant("`inactive` is read as `active`", SCHEDULE, "week ^ self.inverted", "week"),
    Mutant("the clock never changes", SCHEDULE, "now[rows] = np.minimum(ahead, self.civil.next_change(at))", "now[rows] = ahead"),
    Mutant("a new offset begins 1 ms late", CIVIL, 'np.searchsorted(self.since, self.folded(t), side="right")', 'np.searchsorted(self.since, self.folded(t), side="left")'),
    Mutant("the week begins on Sunday", CIVIL, "return (self.local_ms(t) // MS_PER_DAY + 3) % 7 + 1", "return (self.local_ms(t) // MS_PER_DAY + 4) % 7 + 1"),
    Mutant("readings outside the schedule are seen", RULE_STATE, "seen = rule.schedule.active(rows.t).astype(np.uint8)", "seen = np.ones(rows.n, np.uint8)"),
]

EXPRESSIONS = [
    Mutant("null && false is null", EVALUATE, "return _boolean(~no, no | (a_bool & b_bool))", "return _boolean(~no, a_bool & b_bool)"),
    Mutant("null || true is null", EVALUATE, "return _boolean(yes, yes | (a_bool & b_bool))", "return _boolean(yes, a_bool & b_bool)"),
    Mutant("x / 0 is not null", EVALUATE, 'if op in "/%":', 'if op in "%":'),
    Mutant("-5 % 3 is 1", EVALUATE, '"%": np.fmod', '"%": np.mod'),
    Mutant("null equals zero", EVALUATE, "same: Mask = (a.tag == b.tag) & (a.num == b.num)", "same: Mask = np.asarray(a.num == b.num)"),
    Mutant("a condition that is null takes the second", EVALUATE, "known = condition.tag == BOOL\n", "known = condition.tag <= BOOL\n"),
    Mutant("without a place, outside", EVALUATE, "return _boolean(found if inside else ~found, there)", "return _boolean(found if inside else ~found, np.ones_like(there))"),
    Mutant("min of null is the other", EVALUATE, "            ok = ok & (other.tag == NUMBER)\n        return _numbers(num, ok)", "            ok = ok | (other.tag == NUMBER)\n        return _numbers(num, ok)"),
    Mutant("has(null) is true", EVALUATE, "return _truth(first.tag != NULL)", "return _truth(first.tag >= NULL)"),
    Mutant("strings in order of length", STRINGS, "        if sign == 0:\n            sign =", "        if True:\n            sign ="),
    Mutant("ends_with looks at the start", STRINGS, "            a += length_a[i] - length_b[i]", "            a += 0"),
]

ZONES = [
    Mutant("a point on an edge is outside", RASTER, "            if side == 0:\n                return True", "            if side == 0:\n                return False"),
    Mutant("a point on a level edge is outside", RASTER, "            if min(x1, x2) <= x <= max(x1, x2):\n                return True", "            if min(x1, x2) < x < max(x1, x2):\n                return True"),
    Mutant("a shared border belongs to the largest code", RASTER, "                    answer = entry[at, 0]\n                    break", "                    answer = entry[at, 0]"),
]

PLANS = [
    Mutant("a changed rule keeps its state", DETECTOR, "if kept.get(state.rule.id) != state.digest]", "if state.rule.id not in kept]"),
    Mutant("registry rows are no part of a rule", PLAN, "for r in self.registry.rows if r.kind in reads],", "for r in self.registry.rows if r.kind in reads and r.kind == ''],"),
    Mutant("absence counts from the log's start after a plan", DETECTOR, "        now.expect(fresh, order_ms)\n        self._take(", "        now.expect(fresh, 0)\n        self._take("),
    Mutant("every rule's absence begins anew with a plan", DETECTOR, "        now.expect(fresh, order_ms)\n        self._take(", "        now.expect(now.rules, order_ms)\n        self._take("),
    Mutant("cleared by plan: one too few in seq", SWITCH, "slots[:, at.SEQ] + 1", "slots[:, at.SEQ]"),
    Mutant("cleared by plan has no evidence", SWITCH, "out[:, at.O_FIRST] = out[:, at.O_LAST] = slots[:, at.SEEN_OFFSET]", "out[:, at.O_FIRST] = out[:, at.O_LAST] = at.NO_OFFSET"),
    Mutant("a plan in a rule's middle renumbers nothing", RULE_STATE, "self.parameters[at.P_RULE] = number\n        return self", "return self"),
]  # fmt: skip

CHECKPOINTS = [
    Mutant("a checkpoint forgets what waits", CHECKPOINT, "state.order.waiting = [unpack_rows(rows) for rows in snapshot.waiting]", "state.order.waiting = []"),
    Mutant("a checkpoint forgets the last good readings", CHECKPOINT, "    state.series.last[: len(unpacked(snapshot.last))] = unpacked(snapshot.last)\n", ""),
    Mutant("a checkpoint forgets the watermark", CHECKPOINT, "state.order.watermark, state.order.newest = snapshot.watermark, snapshot.newest", "state.order.newest = snapshot.newest"),
    Mutant("a checkpoint forgets that absences wait for a start", CHECKPOINT, "state.offline, state.awaits_start = snapshot.offline, snapshot.awaits_start", "state.offline, state.awaits_start = snapshot.offline, False"),
]

MUTANTS = [
    *TIME_AND_ORDER, *LEVELS_AND_HOLD, *WHAT_IS_TOLD, *TIMERS_OF_SILENCE, *SIGNS_OF_LIFE, *WINDOWS, *SCHEDULES, *EXPRESSIONS,
    *ZONES, *PLANS, *CHECKPOINTS,
]  # fmt: skip
