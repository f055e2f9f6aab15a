"""Which shapes the scanner reads by itself: counted, since one left to the slow path costs fifty times as much."""

from __future__ import annotations

import json

import pytest

from engine.detect.batch import RecordBatch
from engine.detect.decode.decoded import Decoded
from engine.detect.decode.decoder import Decoder
from engine.detect.decode.vocabulary import Vocabulary
from rules.plan import Plan

PLAN = Plan()
FIELDS = {
    "sensor": "gas-methane-000017",
    "kind": "gas.methane",
    "t": 1_767_225_600_000,
    "v": 12.37,
    "lon": 120.6262277,
    "lat": 29.5346315,
    "attrs": {"mode": "normal", "site": "城东泵站", "battery": 93, "rssi": -71, "ok": True, "note": None},
}


def compact(**changed: object) -> str:
    return json.dumps(FIELDS | changed, separators=(",", ":"), ensure_ascii=False)


SHAPES = {
    "compact": compact(),
    "with spaces": json.dumps(FIELDS, ensure_ascii=False),
    "pretty printed": json.dumps(FIELDS, indent=2),
    "only ASCII": json.dumps(FIELDS),
    "the other way round": json.dumps(dict(reversed(FIELDS.items()))),
    "time as text": compact(t="2026-07-01T08:00:00.123+08:00"),
    "17 digits": compact(v=0.1 + 0.2, lon=120.62622771234567, lat=29.534631512345678),
    "small numbers": compact(v=1.5e-07),
    "true": compact(v=True),
    "another crs": compact(crs="gcj02"),
    "nulls": compact(lon=None, lat=None, crs=None, attrs=None),
    "unknown fields": compact(seq=17, meta={"path": ["a", {"b": "}"}], "hops": 2.5e3}),
    "a duplicate key": compact()[:-1] + ',"v":3}',
    "an array": f"[{compact()}, {compact(v=2)}]",
    "lines": f"{compact()}\n{compact(v=2)}\r\n\n{compact(v=3)}\n",
}


def decoded(*texts: str) -> Decoded:
    batch = RecordBatch.from_records([text.encode() for text in texts], log_times=[0] * len(texts))
    return Decoder(PLAN, Vocabulary(PLAN), ["mode", "site"]).decode(batch)


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_common_shapes_are_read_by_the_scanner(text: str) -> None:
    answer = decoded(text)
    assert (answer.slow, answer.rejects) == (0, [])
    assert answer.n > 0


def test_one_bad_part_of_a_frame_is_all_that_is_read_slowly() -> None:
    parts = [compact(v=number) for number in range(100)]
    parts[40] = parts[40].replace("40", "NaN")
    array, lines = decoded(f"[{','.join(parts)}]"), decoded("\n".join(parts))
    assert [(answer.n, answer.slow, len(answer.rejects)) for answer in (array, lines)] == [(99, 1, 1)] * 2


def test_new_sensors_need_no_slow_path() -> None:
    answer = decoded(*(compact(sensor=f"new-{number}") for number in range(5_000)))
    assert (answer.n, answer.slow) == (5_000, 0)
    assert len(set(answer.table["series"].tolist())) == 5_000


def test_rows_grow_with_the_frames() -> None:
    frame = "[" + ",".join([compact()] * 1_000) + "]"
    answer = decoded(frame, frame)
    assert (answer.n, answer.slow) == (2_000, 0)
    assert answer.table["index"].tolist() == [*range(1_000)] * 2
