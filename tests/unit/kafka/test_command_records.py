"""Records of city.commands: what is a command, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.runtime.kafka.commands import LARGEST_BYTES, Malformed, parse

ACTOR = {"name": "120", "role": "operator"}


def record(**more: Any) -> bytes:
    return json.dumps({"id": "1", "actor": ACTOR} | more).encode()


def test_a_command_is_a_move_or_a_report() -> None:
    move = parse(record(case="WO-1", move="accept", args={"note": "x"}, version=3, t=5))
    assert (move.id, move.actor.name, move.case, move.move, move.args, move.version, move.t) == (
        *("1", "120", "WO-1", "accept", {"note": "x"}, 3, 5),
    )
    report = parse(record(actor=ACTOR | {"role": "citizen", "area": "330683"}, report={"category": "0405"}))
    assert report.report is not None
    assert report.report.category == "0405"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(b"", "truncated", id="empty"),
        pytest.param(b"not json", "malformed", id="no JSON"),
        pytest.param(b"[]", "object", id="no object"),
        pytest.param(b'{"id":"1"}', "actor", id="nobody"),
        pytest.param(record(), "either case and move, or report", id="nothing asked"),
        pytest.param(record(case="WO-1"), "either", id="no move"),
        pytest.param(record(move="accept"), "either", id="no case"),
        pytest.param(record(case="WO-1", move="a", report={"category": "0405"}), "either", id="both"),
        pytest.param(record(id="", case="WO-1", move="a"), "length", id="no id"),
        pytest.param(record(id="x" * 201, case="WO-1", move="a"), "length", id="a long id"),
        pytest.param(record(case="WO-1", move="a", more=1), "unknown field", id="something more"),
        pytest.param(record(case="WO-1", move="a", t=-1), ">= 0", id="before time"),
        pytest.param(record(actor=ACTOR | {"role": "system"}, case="WO-1", move="a"), "actor.role", id="the system"),
        pytest.param(record(actor=ACTOR | {"role": "king"}, case="WO-1", move="a"), "role", id="no role of ours"),
        pytest.param(record(actor=ACTOR | {"area": "x"}, case="WO-1", move="a"), "area", id="no area"),
        pytest.param(record(case="WO-1", move="a", args={"note": "x" * LARGEST_BYTES}), "at most", id="too long"),
    ],
)
def test_what_is_no_command_is_said_to_be_none(value: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse(value)
