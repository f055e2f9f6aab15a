"""What goes wrong between a sensor and the log, each as a parameter: readings in, readings out.

drop_out         each reading is lost by `chance`
drift            the value wanders off by `by` units a day
stuck            the value stays what it was when the fault began
noise            adds `by` units of standard deviation
clock_skew       the sensor's clock is `ahead` (negative: behind)
duplicate        by `chance` a reading comes again, `late`
disorder         by `chance` a reading comes up to `late`
gateway_outage   a gateway's readings come only when it is back, at twenty times the pace (or never, `back_fill: false`)

`share` is the part of the sensors of `kinds` (of the gateways) that has the fault; which ones depends on the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.network import Network
from simulators.readings import Readings, join
from simulators.scenario import Fault, Scenario
from simulators.streams import UNIFORMS, stream

LANES = UNIFORMS - 4
CATCH_UP = 20
GOLDEN = 0.618033988749895
ALWAYS = 2**62


class FieldFault:
    """One fault of a scenario on the sensors that the seed chose: `rows` bool[n of the network]."""

    def __init__(self, fault: Fault, number: int, scenario: Scenario, network: Network, seed: int) -> None:
        self.fault, self._number = fault, number
        self.from_ms = -ALWAYS if fault.from_ms is None else scenario.starts_ms + fault.from_ms
        begins = max(self.from_ms, scenario.starts_ms - scenario.prelude.lasts_ms)
        self.until_ms = ALWAYS if fault.lasts_ms is None else begins + fault.lasts_ms
        self._begins_ms = begins
        self.rows = self._chosen(network, seed)
        self._held = np.full(len(network), np.nan)

    def _chosen(self, network: Network, seed: int) -> npt.NDArray[np.bool_]:
        units = network.gateway if self.fault.fault == "gateway_outage" else network.names
        ill = {u for u in sorted(set(units)) if stream(seed, f"fault{self._number}|{u}").random() < self.fault.share}
        kinds = self.fault.kinds
        picks = (unit in ill and (not kinds or kind in kinds) for unit, kind in zip(units, network.kind, strict=True))
        return np.fromiter(picks, dtype=np.bool_, count=len(network))

    def apply(self, readings: Readings) -> Readings:
        """Return what arrives of these readings; all of them are as they left the sensor."""
        hit = self.rows[readings.row] & (readings.t_ms >= self.from_ms) & (readings.t_ms < self.until_ms)
        if self.fault.chance < 1.0:
            hit &= self._luck(readings) < self.fault.chance
        if not hit.any():
            return readings
        change: dict[str, Any] = getattr(self, f"_{self.fault.fault}")(readings, hit)
        return change["readings"] if "readings" in change else replace(readings, **change)

    def _luck(self, readings: Readings) -> npt.NDArray[np.float64]:
        shifted = readings.chance[:, self._number % LANES] + GOLDEN * (self._number // LANES)
        return np.asarray(shifted % 1.0, dtype=np.float64)

    def _drop_out(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        return {"readings": readings.take(~hit)}

    def _drift(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        days = (readings.t_ms - self._begins_ms) / 86_400_000
        return {"v": np.where(hit, np.round(readings.v + self.fault.by * days, 3), readings.v)}

    def _stuck(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        held = self._held[readings.row]
        held = np.where(np.isnan(held), readings.v, held)
        self._held[readings.row[hit]] = held[hit]
        return {"v": np.where(hit, held, readings.v)}

    def _noise(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        return {"v": np.where(hit, np.round(readings.v + self.fault.by * readings.normal, 3), readings.v)}

    def _clock_skew(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        return {"t_ms": np.where(hit, readings.t_ms + self.fault.ahead_ms, readings.t_ms)}

    def _duplicate(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        again = readings.take(hit)
        again = replace(again, arrives_ms=again.arrives_ms + self.fault.late_ms)
        return {"readings": join([readings, again])}

    def _disorder(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        late = 1 + (readings.chance[:, (self._number + 1) % LANES] * self.fault.late_ms).astype(np.int64)
        return {"arrives_ms": np.where(hit, readings.arrives_ms + late, readings.arrives_ms)}

    def _gateway_outage(self, readings: Readings, hit: npt.NDArray[np.bool_]) -> dict[str, Any]:
        if not self.fault.back_fill:
            return {"readings": readings.take(~hit)}
        comes = self.until_ms + (readings.arrives_ms - self._begins_ms) // CATCH_UP
        return {"arrives_ms": np.where(hit & (readings.arrives_ms < self.until_ms), comes, readings.arrives_ms)}


def faults_of(scenario: Scenario, network: Network, seed: int) -> tuple[FieldFault, ...]:
    """Return the scenario's faults in its order: each works on what the one before left."""
    return tuple(FieldFault(fault, i, scenario, network, seed) for i, fault in enumerate(scenario.faults))


def truth(faults: Sequence[FieldFault], network: Network) -> list[dict[str, Any]]:
    """Return which sensors have which fault and when, a row each; times of no end are null."""
    rows: list[dict[str, Any]] = []
    for fault in faults:
        times = {"from": fault.from_ms, "until": fault.until_ms}
        told = {name: None if abs(ms) >= ALWAYS else ms for name, ms in times.items()}
        for i in np.flatnonzero(fault.rows).tolist():
            named = {"sensor": network.sensor[i], "kind": network.kind[i]}
            rows.append({"truth": "sensor.fault", "fault": fault.fault.fault, **named, **told})
    return rows
