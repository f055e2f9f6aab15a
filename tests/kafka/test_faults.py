"""Nothing is lost, doubled, misordered or wrong while workers and broker are killed; `make soak` has the long form."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.kafka.faults import Faults, broken
from tests.kafka.long_story import LongStory
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(900)]
KILLS = int(os.environ.get("TONGGUAN_WORKER_KILLS", "15"))


def test_through_kills_broker_restarts_and_a_zombie_the_changes_and_cases_are_those_of_the_log(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    story = LongStory(sensors=600, rounds=250, partitions=4, seed=7)

    def make(faults: Faults, told: threading.Event) -> None:
        wanted = {
            faults.kill: KILLS,
            partial(faults.restart_broker, hard=False): 1,
            partial(faults.restart_broker, hard=True): 2,
            partial(faults.freeze, 20.0): 1,
        }
        faults.make(wanted, pause=(0.5, 3.0))
        told.wait(600)

    report = broken(broker, database, tmp_path, story, make, workers=2, rate=2_500)
    assert report.faults == {}, report.logs
    assert report.made["workers killed"] == KILLS
    assert report.made["broker restarts, clean"] + report.made["broker restarts, hard"] == 3
    assert report.cases > 100
    assert report.changes > 1_000
