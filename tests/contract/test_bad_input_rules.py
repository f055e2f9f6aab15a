"""Faulty rules meet `tongguan rules check` and `detect`: each is named with its place, and the good one runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.command import WATCHED, json_lines, tongguan
from tests.unit.decode.test_bad_input import reading
from tests.unit.geo.test_load import SQUARE, feature
from tests.unit.rules.test_faulty_rule_files import ONE_FAULT


@dataclass(frozen=True)
class Checked:
    """What `rules check` and `detect` said of a folder in which one rule is good."""

    folder_of: dict[str, str]
    checked: list[str]
    detected: list[str]
    changes: list[dict[str, Any]]

    def faults(self, lines: list[str], name: str) -> list[str]:
        start = f"rules/{self.folder_of[name]}/leak.yaml:"
        return [line.removeprefix(start) for line in lines if line.startswith(start)]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "zones").mkdir()
    zone = {**feature(SQUARE), "crs": "wgs84"}
    (folder / "zones" / "school.geojson").write_text(json.dumps(zone))
    folder_of = {name: f"c{number:03}" for number, name in enumerate(ONE_FAULT)}
    for name, (text, _) in ONE_FAULT.items():
        place = folder / "rules" / folder_of[name]
        place.mkdir(parents=True)
        (place / "leak.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "rules" / "watch.yaml").write_text(WATCHED)
    (folder / "in.ndjson").write_bytes(reading(sensor='"good"', v="120"))
    zones = ("--zones", "zones")
    check = tongguan("rules", "check", *zones, "rules", folder=folder, code=1)
    detect = tongguan("detect", "--rules", "rules", *zones, "in.ndjson", folder=folder, code=1)
    return Checked(
        folder_of,
        check.stdout.decode().splitlines(),
        detect.stderr.decode().splitlines(),
        json_lines(detect.stdout),
    )


@pytest.mark.parametrize("name", ONE_FAULT)
def test_a_faulty_rule_is_named_with_file_line_column_and_key(checked: Checked, name: str) -> None:
    fault = ONE_FAULT[name][1]
    assert fault in checked.faults(checked.checked, name)
    assert checked.faults(checked.detected, name) == [fault]


def test_no_faulty_rule_stops_a_good_one(checked: Checked) -> None:
    assert [(row["rule"], row["change"]) for row in checked.changes] == [("gas.watch", "raised")]
    assert len(checked.detected) == len(ONE_FAULT)
