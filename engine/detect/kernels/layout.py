"""Where the numbers stand in the arrays that kernels share: parameters of a rule, its state, and what comes out.

State of a rule is int64[slots, width], one row a (sensor, kind) that the rule has seen; float64 numbers are kept as
their bits, through a view. `NEVER` is unset, `FOREVER` a timer that does not run.
"""

from __future__ import annotations

from typing import Final

# Parameters of a rule, int64[PARAMETERS]; thresholds are float64[8]: `set` of each level, then `clear`.
P_RULE: Final = 0
"""Position of the rule in the order of ids."""
P_LEVELS: Final = 1
P_CLEAR_FOR: Final = 2
P_GAP: Final = 3
"""max_gap, ms; -1 without (so are the next)."""
P_QUIET: Final = 4
P_SCHEDULED: Final = 5
P_AGG: Final = 6
P_PANES: Final = 7
P_STEP: Final = 8
P_BOOLEAN: Final = 9
"""1 if the measure is boolean."""
P_KEEPS: Final = 10
"""1 if a reading must be remembered even when it sets nothing."""
P_ABSENT: Final = 11
P_CODE: Final = 12
"""LevelName of each declared level, ascending."""
P_SET: Final = 16
P_CLEAR: Final = 20
"""Op of each level's `clear`, -1 for "not set"."""
P_FOR: Final = 24
P_LAST: Final = 28
"""How many panes count at most, the present one aside; FOREVER for all."""
PARAMETERS: Final = 29

# State of a rule for a (sensor, kind): what every reading touches stands first, in one line of the cache.
LEVEL: Final = 0
"""Number of the open level among the declared ones, from 1; 0 for none."""
ACTIVE: Final = 1
"""How many `since` are set."""
DUE: Final = 2
CAUSE: Final = 3
"""What the timer due at DUE says."""
ARMED: Final = 4
"""Number, since the start of the log, of the released row that set the timer."""
SEEN: Final = 5
"""`t` of the last reading that the rule saw (kept with max_gap only); of an absent rule the last sign of life."""
SEEN_OFFSET: Final = 6
SERIES: Final = 7
LON: Final = 8
"""The last place of a sensor that moves, in a reading that the rule saw."""
LAT: Final = 9
RAISED: Final = 10
"""`t` of the raise of the open episode."""
SEQ: Final = 11
TOLD: Final = 12
"""`t` of the episode's last change or still."""
CLEAR_SINCE: Final = 13
CLEAR_OFFSET: Final = 14
HEAD: Final = 15
"""Here `since` of each declared level begins, then the offset of each."""

# Window of a rule for a (sensor, kind), int64[slots, WINDOW]. The fields of a pane, A to C, are by aggregate
# (high, low, count), (extreme), (lowest, highest) or (first t, first value); sums are in millionths, high * 2^32 + low.
W_END: Final = 0
"""Start of the next pane, ms; NEVER without a present pane."""
W_PANE: Final = 1
"""Number of the present pane, whose fields follow."""
W_A: Final = 2
W_B: Final = 3
W_C: Final = 4
W_HIGH: Final = 5
"""Over all panes: sum, or the t and value of the first reading, or the highest beside W_EXTREME, ..."""
W_LOW: Final = 6
W_COUNT: Final = 7
W_EXTREME: Final = 8
W_BLOCK: Final = 9
"""First row in the rule's pool of the ring of panes before the present one."""
W_SIZE: Final = 10
W_FIRST: Final = 11
W_LENGTH: Final = 12
WINDOW: Final = 13

# A pane in the pool: its number and its fields.
PANE: Final = 4

# Counters of a rule, int64[META].
M_SLOTS: Final = 0
M_BOUND: Final = 1
"""No timer of the rule is due before this."""
M_POOL: Final = 2
"""Rows of the pool in use."""
M_HIDDEN: Final = 3
M_FREE: Final = 4
"""First free block of 2^i panes, -1 for none; the next one stands in its first field."""
META: Final = 36

# What comes out, int64[n, OUT].
O_EVENT: Final = 0
"""Where in the order of releases: row + record for a row, and the place before which a timer fires."""
O_PHASE: Final = 1
O_DUE: Final = 2
O_RULE: Final = 3
O_SERIES: Final = 4
O_CODE: Final = 5
O_CAUSE: Final = 6
O_LEVEL: Final = 7
O_PREVIOUS: Final = 8
O_T: Final = 9
O_SINCE: Final = 10
O_FIRST: Final = 11
O_LAST: Final = 12
O_VALUE: Final = 13
"""Bits of a float64; NaN for null."""
O_LON: Final = 14
O_LAT: Final = 15
O_RAISED: Final = 16
O_SEQ: Final = 17
O_ARMED: Final = 18
O_ROW: Final = 19
OUT: Final = 20

TIMER, READING = 0, 1
RAISED_, ESCALATED, DOWNGRADED, CLEARED, STILL = 1, 2, 3, 4, 5
BY_READING, BY_QUIET, BY_ABSENT, BY_SCHEDULE, BY_PLAN = 0, 1, 2, 3, 4
NO_OFFSET: Final = -1
STILL_MS: Final = 60_000
