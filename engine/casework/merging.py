"""Which case a change or report joins: merge keys, and the nearest case that is near enough."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from engine.casework.alertlog import Change
from engine.casework.desk import Desk
from engine.casework.model import CaseState
from rules.model import CaseSpec, MergeBy

EARTH_RADIUS_M = 6_371_008.8
METRES_PER_DEGREE = EARTH_RADIUS_M * radians(1)


def merge_by(spec: CaseSpec, change: Change) -> MergeBy:
    """Return how the change merges: by its sensor where it has no grid, or no place, to merge by."""
    if spec.merge.by == MergeBy.GRID and change.grid is None:
        return MergeBy.SENSOR
    if spec.merge.by == MergeBy.NEAR and (change.lon is None or change.lat is None):
        return MergeBy.SENSOR
    return spec.merge.by


def sensor_key(rule: str, sensor: str, drill: bool) -> str:
    """Return the key of one sensor under one rule."""
    return f"{_side(drill)}sensor|{rule}|{sensor}"


def grid_key(category: str, grid: str, drill: bool) -> str:
    """Return the key of a category in a unit grid, at which sensors, cameras and calls meet."""
    return f"{_side(drill)}grid|{category}|{grid}"


def near_prefix(category: str, drill: bool) -> str:
    """Return what precedes the case id in the keys of a category's anchored cases."""
    return f"{_side(drill)}near|{category}|"


def _side(drill: bool) -> str:
    return "drill|" if drill else ""


def key_of(spec: CaseSpec, change: Change, drill: bool) -> str | None:
    """Return the exact key that the change looks for; null when it merges by distance."""
    by = merge_by(spec, change)
    if by == MergeBy.SENSOR:
        return sensor_key(change.rule, change.sensor, drill)
    if by == MergeBy.GRID and change.grid is not None:
        return grid_key(spec.category, change.grid, drill)
    return None


def holder(desk: Desk, key: str, t_ms: int) -> CaseState | None:
    """Return the open case that holds a key; one past its `within` gives all its keys up and is not it."""
    desk.load_keys([key])
    case_id = desk.keys[key]
    if case_id is None:
        return None
    case = desk.cases[case_id]
    if _past(case, t_ms, case.within_ms):
        desk.give_up_keys(case_id)
        return None
    return case


def nearest(
    desk: Desk, prefix: str, lon: float, lat: float, metres: float, t_ms: int, within_ms: int | None
) -> CaseState | None:
    """Return the case whose anchor lies nearest, at most `metres` away, and whose last change is within `within_ms`
    (and within what its own rule says).

    Of equally near ones the oldest. A merged case's anchor leads to the case that took it in.
    """
    best: tuple[float, int, str] | None = None
    found: CaseState | None = None
    for key in desk.load_near(prefix):
        anchor = desk.cases[key.removeprefix(prefix)]
        case = desk.cases[str(desk.keys[key])]
        if (
            anchor.lon is None
            or anchor.lat is None
            or _past(case, t_ms, within_ms)
            or _past(case, t_ms, case.within_ms)
        ):
            continue
        if abs(anchor.lat - lat) * METRES_PER_DEGREE > metres + 1:
            continue
        distance = distance_m(lon, lat, anchor.lon, anchor.lat)
        rank = (distance, case.opened_t, case.id)
        if distance <= metres and (best is None or rank < best):
            best, found = rank, case
    return found


def _past(case: CaseState, t_ms: int, within_ms: int | None) -> bool:
    return within_ms is not None and t_ms - case.change_t > within_ms


def distance_m(lon: float, lat: float, to_lon: float, to_lat: float) -> float:
    """Return the great-circle distance in metres (haversine, mean earth radius); equal steps of 1e-7° are equal."""
    half = sin(radians(round((to_lat - lat) * 1e7) / 1e7) / 2) ** 2
    half += cos(radians(lat)) * cos(radians(to_lat)) * sin(radians(round((to_lon - lon) * 1e7) / 1e7) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half)))
