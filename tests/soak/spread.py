"""Workers and partitions change nothing about a sensor's alerts.

Two million readings, judged by 1, 2 and 4 workers on 4, 8 and 12 partitions, against `tongguan detect`.
`TONGGUAN_SOAK_READINGS` tells fewer.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.kafka.faults import Faults, broken
from tests.kafka.long_story import LongStory
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(0)]
READINGS = int(os.environ.get("TONGGUAN_SOAK_READINGS", "2000000"))
SENSORS = 2_000


@pytest.mark.parametrize("partitions", [4, 8, 12])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_alerts_and_cases_are_those_of_one_detector(
    broker: Broker, database: Database, tmp_path: Path, workers: int, partitions: int
) -> None:
    story = LongStory(sensors=SENSORS, rounds=READINGS * 114 // 100 // SENSORS, partitions=partitions, seed=23)

    def make(_: Faults, told: threading.Event) -> None:
        told.wait()

    report = broken(broker, database, tmp_path, story, make, workers=workers)
    assert report.faults == {}, report.logs
    assert (report.readings >= READINGS, report.changes > 0, report.cases > 0) == (True, True, True)
    assert workers > 1 or report.repeats == 0  # whoever takes a partition over may say a change again
