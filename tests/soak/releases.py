"""Workers of this release and of an older one side by side: killed, and given another plan in the middle.

`TONGGUAN_OLDER_RELEASE` names a work tree of the older one, of the same schema (`git worktree add FOLDER COMMIT`); what
it needs must be installed here.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.kafka.faults import Faults, broken
from tests.kafka.long_story import LongStory
from tests.parts.broker import Broker
from tests.parts.nursery import Nursery
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(0)]
OLDER = os.environ.get("TONGGUAN_OLDER_RELEASE", "")
READINGS = int(os.environ.get("TONGGUAN_SOAK_READINGS", "300000"))
SENSORS = 600


@pytest.mark.skipif(not OLDER, reason="TONGGUAN_OLDER_RELEASE names no work tree of an older release")
def test_workers_of_two_releases_say_together_what_one_detector_says(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    story = LongStory(sensors=SENSORS, rounds=READINGS // SENSORS, partitions=4, seed=5)
    older = Nursery(Path(OLDER).resolve())

    def make(faults: Faults, told: threading.Event) -> None:
        faults.make({faults.kill: 10}, pause=(1.0, 6.0))
        faults.city.settings["max_age"] = "400d"
        faults.city.write_settings()
        faults.city.set_plan()
        faults.made["plans switched"] += 1
        faults.make({faults.kill: 10}, pause=(1.0, 6.0))
        told.wait(600)

    report = broken(
        broker, database, tmp_path, story, make, workers=3, rate=2_500, nurseries={"w1": older, "w3": older}
    )
    print("\n".join(report.lines()))
    assert report.faults == {}, report.logs
    assert report.cases > 100
