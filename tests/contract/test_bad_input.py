"""Bad readings meet `tongguan detect`: each named case gets its documented answer, nothing else is disturbed, nothing
is lost."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract import bad_input
from tests.contract.bad_input import FRAMES, ODD, T
from tests.contract.command import ROOT, SEEN, WATCHED, in_process, json_lines, tongguan
from tests.contract.test_http_bad_input import many
from tests.unit.decode.test_bad_input import ACCEPTED, REJECTED, reading


def test_the_page_is_written_from_the_tables() -> None:
    page = (ROOT / "docs" / "bad_input.md").read_text(encoding="utf-8")
    assert page == bad_input.page(), "python -m tests.contract.bad_input > docs/bad_input.md"
    assert int(re.findall(r"^([0-9]+) named cases", page, re.M)[0]) >= 60


@dataclass(frozen=True)
class Judged:
    """One run of `tongguan detect` over all bad readings, a good one before, between and behind them."""

    lines: list[bytes]
    line_of: dict[str, int]
    good_lines: list[int]
    changes: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    late: list[dict[str, Any]]

    def rejects_of(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.rejects if row["line"] == self.line_of[name]]

    def first_of(self, name: str) -> dict[str, Any]:
        """Return the first change of the sensors of a case."""
        return next(row for row in self.changes if row["sensor"] == self.sensor(name))

    def sensor(self, name: str) -> str:
        return f"s{self.line_of[name]}"


def in_a_file(text: bytes) -> bool:
    """Whether a text is one line of a file; blank ones are none, and a plan record says nothing where flags do."""
    return b"\n" not in text and bool(text.strip()) and not text.startswith(b'{"kind":"plan"')


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("readings")
    (folder / "rules").mkdir()
    (folder / "rules" / "watch.yaml").write_text(WATCHED)
    (folder / "rules" / "seen.yaml").write_text(SEEN)
    lines: list[bytes] = []
    line_of: dict[str, int] = {}
    good_lines: list[int] = []

    def add_good() -> None:
        number = len(good_lines)
        lines.append(reading(sensor='"good"', t=str(T + number * 1000), v="0" if number % 2 else "120"))
        good_lines.append(len(lines))

    def add(name: str, *texts: bytes) -> None:
        add_good()
        line_of[name] = len(lines) + 1
        lines.extend(text.replace(b'"s1"', f'"s{len(lines) + 1}"'.encode()) for text in texts[:1])
        lines.extend(text.replace(b'"s1"', f'"s{line_of[name]}"'.encode()) for text in texts[1:])

    for name, (text, *_) in (REJECTED | ACCEPTED).items():
        if in_a_file(text):
            add(name, text)
    for name, (text, _) in FRAMES.items():
        add(name, text)
    for name, odd in ODD.items():
        add(name, *odd.lines)
    add_good()
    (folder / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    args = ("--rules", "rules", "--rejects", "rejects", "--late", "late", "in.ndjson")
    done = tongguan("detect", *args, folder=folder)
    rejects, late = ((folder / name).read_bytes() for name in ("rejects", "late"))
    return Judged(lines, line_of, good_lines, json_lines(done.stdout), json_lines(rejects), json_lines(late))


def own_text(row: dict[str, Any]) -> bytes:
    return row["raw"].encode() if "raw" in row else base64.b64decode(row["raw_base64"])


@pytest.mark.parametrize("name", [name for name, (text, *_) in REJECTED.items() if in_a_file(text)])
def test_a_bad_reading_is_rejected_once_with_its_reason_and_its_own_text(judged: Judged, name: str) -> None:
    (row,) = judged.rejects_of(name)
    assert (row["reason"], row["index"]) == (REJECTED[name][1], 0)
    line = judged.lines[row["line"] - 1]
    assert own_text(row).strip() == line.strip(b" \t\r[]" if row["reason"] == "control_in_frame" else b" \t\r")


@pytest.mark.parametrize("name", FRAMES)
def test_a_bad_part_of_a_frame_is_rejected_and_the_others_are_judged(judged: Judged, name: str) -> None:
    rows = judged.rejects_of(name)
    assert {row["index"]: row["reason"] for row in rows} == FRAMES[name][1]
    assert all(own_text(row) in judged.lines[judged.line_of[name] - 1] for row in rows)
    if judged.sensor(name).encode() in judged.lines[judged.line_of[name] - 1]:
        assert judged.first_of(name)["value"] == 1.5


@pytest.mark.parametrize("name", [name for name, (text, _) in ACCEPTED.items() if in_a_file(text)])
def test_an_odd_reading_is_judged_as_documented(judged: Judged, name: str) -> None:
    assert judged.rejects_of(name) == []
    assert judged.first_of(name)["value"] == ACCEPTED[name][1]


@pytest.mark.parametrize("name", ODD)
def test_a_reading_at_an_odd_time_is_judged_or_kept_as_late(judged: Judged, name: str) -> None:
    odd, first = ODD[name], judged.line_of[name]
    assert (judged.first_of(name)["value"], judged.first_of(name)["t"]) == (odd.v, odd.t)
    rows = [row for row in judged.late if first <= row["line"] < first + len(odd.lines)]
    assert [(row["reason"], own_text(row)) for row in rows] == [
        (reason, judged.lines[first + len(odd.lines) - 2]) for reason in odd.late
    ]


def test_no_bad_reading_disturbs_a_good_one(judged: Judged) -> None:
    seen = [
        (row["change"], row["t"], row["value"], row["evidence"]["last_offset"])
        for row in judged.changes
        if row["sensor"] == "good"
    ]
    assert seen == [
        ("cleared" if number % 2 else "raised", T + number * 1000, 0 if number % 2 else 120, line)
        for number, line in enumerate(judged.good_lines)
    ]


def test_of_all_that_came_nothing_is_lost(judged: Judged) -> None:
    """Every line is judged, in the late store, or rejected; and nothing is rejected that is not in the table."""
    counted = {judged.line_of[name] for name in REJECTED if name in judged.line_of}
    counted |= {judged.line_of[name] for name, (_, reasons) in FRAMES.items() if reasons}
    assert {row["line"] for row in judged.rejects} == counted
    assert len(judged.late) == sum(len(odd.late) for odd in ODD.values())


def test_a_frame_over_its_limits_is_not_even_half_taken(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "watch.yaml").write_text(WATCHED)
    (tmp_path / "in.ndjson").write_bytes(many(10_001) + b"\n" + reading(sensor='"good"', v="120"))
    code, text = in_process(
        "detect", "--rules", str(tmp_path / "rules"), "--rejects", str(tmp_path / "r"), str(tmp_path / "in.ndjson")
    )
    (row,) = json_lines((tmp_path / "r").read_bytes())
    assert (code, row["reason"], row["line"], row["index"]) == (0, "frame_too_large", 1, 0)
    assert [json.loads(line)["sensor"] for line in text.splitlines()] == ["good"]
