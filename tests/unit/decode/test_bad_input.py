"""Each bad or odd input has its documented answer, on both paths."""

from __future__ import annotations

import json

import pytest

from engine.detect.batch import RecordBatch
from engine.detect.decode.decoded import Decoded
from engine.detect.decode.decoder import Decoder
from engine.detect.decode.reasons import Reason
from engine.detect.decode.vocabulary import Vocabulary
from rules.plan import Plan

PLAN = Plan()
SENSOR, KIND, T, V = '"sensor":"s1"', '"kind":"gas.methane"', '"t":1700000000000', '"v":1.5'
GOOD = "{" + ",".join((SENSOR, KIND, T, V)) + "}"


def reading(**changed: str | None) -> bytes:
    """A good reading with fields replaced, added, or (None) left out; values are JSON texts."""
    fields: dict[str, str | None] = {"sensor": '"s1"', "kind": '"gas.methane"', "t": "1700000000000", "v": "1.5"}
    fields.update(changed)
    return ("{" + ",".join(f'"{name}":{text}' for name, text in fields.items() if text is not None) + "}").encode()


def decoded(*records: bytes, online: bool = True) -> Decoded:
    batch = RecordBatch.from_records(records, log_times=[1_700_000_000_000] * len(records) if online else None)
    return Decoder(PLAN, Vocabulary(PLAN), ["mode"]).decode(batch)


REJECTED = {
    "nothing": (b"", Reason.BAD_JSON, "text: must be JSON"),
    "white space only": (b" \n ", Reason.BAD_JSON, "text: must be JSON"),
    "no JSON": (b"hello", Reason.BAD_JSON, "got 'hello'"),
    "cut off": (GOOD[:-5].encode(), Reason.BAD_JSON, "text: must be JSON"),
    "text behind": (GOOD.encode() + b"x", Reason.BAD_JSON, "got 'x'"),
    "two objects on one line": (GOOD.encode() * 2, Reason.BAD_JSON, "extra data"),
    "trailing comma": (reading(v="1.5,"), Reason.BAD_JSON, "text: must be JSON"),
    "single quotes": (GOOD.replace('"', "'").encode(), Reason.BAD_JSON, "text: must be JSON"),
    "comment": (reading(v="1.5/*x*/"), Reason.BAD_JSON, "text: must be JSON"),
    "leading zero": (reading(v="01.5"), Reason.BAD_JSON, "text: must be JSON"),
    "leading plus": (reading(v="+1.5"), Reason.BAD_JSON, "text: must be JSON"),
    "bare decimal point": (reading(v="1."), Reason.BAD_JSON, "text: must be JSON"),
    "hexadecimal": (reading(v="0x1"), Reason.BAD_JSON, "text: must be JSON"),
    "raw newline in a string": (reading(attrs='{"mode":"a\nb"}'), Reason.BAD_JSON, "text: must be JSON"),
    "raw tab in a string": (reading(attrs='{"mode":"a\tb"}'), Reason.BAD_JSON, "text: must be JSON"),
    "unknown escape": (reading(attrs=r'{"mode":"\x41"}'), Reason.BAD_JSON, "text: must be JSON"),
    "zero byte": (GOOD.encode() + b"\0", Reason.BAD_JSON, "text: must be JSON"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), Reason.BAD_JSON, "text: must be JSON"),
    "GBK text": (reading(attrs='{"site":"泵房"}').decode().encode("gbk"), Reason.BAD_UTF8, "text: must be UTF-8"),
    "overlong UTF-8": (reading(attrs='{"a":"?"}').replace(b"?", b"\xc0\xaf"), Reason.BAD_UTF8, "text: must be UTF-8"),
    "UTF-8 surrogate": (reading(attrs='{"a":"?"}').replace(b"?", b"\xed\xa0\x80"), Reason.BAD_UTF8, "must be UTF-8"),
    "lone surrogate": (reading(attrs=r'{"a":"\ud800"}'), Reason.BAD_JSON, "string: must not hold a lone surrogate"),
    "low surrogate first": (reading(note=r'"\udc00\ud800"'), Reason.BAD_JSON, "string: must not hold a lone surrogate"),
    "deep nesting": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, Reason.BAD_JSON, "text: must nest at most 256 levels"),
    "deep open nesting": (b"{" + b'"a":[' * 50_000, Reason.BAD_JSON, "text: must nest at most 256 levels"),
    "a number": (b"5", Reason.NOT_AN_OBJECT, "reading: must be a JSON object; got 5"),
    "a string": (b'"x"', Reason.NOT_AN_OBJECT, "reading: must be a JSON object; got 'x'"),
    "null": (b"null", Reason.NOT_AN_OBJECT, "reading: must be a JSON object; got null"),
    "empty object": (b"{}", Reason.MISSING_FIELD, "sensor: must be there; got nothing"),
    "no sensor": (reading(sensor=None), Reason.MISSING_FIELD, "sensor: must be there; got nothing"),
    "no kind": (reading(kind=None), Reason.MISSING_FIELD, "kind: must be there; got nothing"),
    "no t": (reading(t=None), Reason.MISSING_FIELD, "t: must be there; got nothing"),
    "no v": (reading(v=None), Reason.MISSING_FIELD, "v: must be there; got nothing"),
    "sensor null": (reading(sensor="null"), Reason.BAD_TYPE, "sensor: must be a string; got null"),
    "sensor a number": (reading(sensor="5"), Reason.BAD_TYPE, "sensor: must be a string; got 5"),
    "sensor empty": (reading(sensor='""'), Reason.BAD_SENSOR, "sensor: must be 1 to 64 of"),
    "sensor of 65": (reading(sensor=json.dumps("a" * 65)), Reason.BAD_SENSOR, "sensor: must be 1 to 64 of"),
    "sensor with a space": (reading(sensor='"a b"'), Reason.BAD_SENSOR, "got 'a b'"),
    "sensor in Chinese": (reading(sensor='"泵房"'), Reason.BAD_SENSOR, "got '泵房'"),
    "sensor a path": (reading(sensor='"../etc"'), Reason.BAD_SENSOR, "got '../etc'"),
    "sensor with a newline at its end": (reading(sensor=r'"s1\n"'), Reason.BAD_SENSOR, "sensor: must be 1 to 64 of"),
    "unknown kind": (reading(kind='"gas.argon"'), Reason.BAD_KIND, "kind: must be a kind of the plan; got 'gas.argon'"),
    "kind in capitals": (reading(kind='"GAS.METHANE"'), Reason.BAD_KIND, "kind: must be a kind of the plan"),
    "kind a list": (reading(kind="[]"), Reason.BAD_TYPE, "kind: must be a string; got an array"),
    "t null": (reading(t="null"), Reason.BAD_TYPE, "t: must be an integer or an RFC 3339 string; got null"),
    "t true": (reading(t="true"), Reason.BAD_TYPE, "t: must be an integer or an RFC 3339 string; got true"),
    "t with decimals": (reading(t="1700000000000.5"), Reason.BAD_TIME, "t: must be whole milliseconds"),
    "t with exponent": (reading(t="17e11"), Reason.BAD_TIME, "t: must be whole milliseconds"),
    "t huge": (reading(t="9" * 5000), Reason.BAD_TIME, "t: must be in the years 0000 to 9999"),
    "t without offset": (reading(t='"2026-07-01T08:00:00"'), Reason.BAD_TIME, "t: must be RFC 3339 with an offset"),
    "t on 30 February": (reading(t='"2026-02-30T08:00:00Z"'), Reason.BAD_TIME, "got '2026-02-30T08:00:00Z'"),
    "t a date": (reading(t='"2026-07-01"'), Reason.BAD_TIME, "t: must be RFC 3339 with an offset"),
    "t digits in a string": (reading(t='"1700000000000"'), Reason.BAD_TIME, "t: must be RFC 3339 with an offset"),
    "v null": (reading(v="null"), Reason.BAD_TYPE, "v: must be a number, true or false; got null"),
    "v a string": (reading(v='"1.5"'), Reason.BAD_TYPE, "v: must be a number, true or false; got '1.5'"),
    "v NaN": (reading(v="NaN"), Reason.NOT_FINITE, "number: must be finite; got NaN"),
    "v -Infinity": (reading(v="-Infinity"), Reason.NOT_FINITE, "number: must be finite; got -Infinity"),
    "v 1e400": (reading(v="1e400"), Reason.NOT_FINITE, "v: must be finite; got 1e400"),
    "v of 5,000 digits": (reading(v="9" * 5000), Reason.NOT_FINITE, "v: must be finite"),
    "v below its kind": (reading(v="-5.0001"), Reason.OUT_OF_RANGE, "v: must be in -5..150; got -5.0001"),
    "v above its kind": (reading(v="150.00000000000003"), Reason.OUT_OF_RANGE, "v: must be in -5..150"),
    "lon alone": (reading(lon="113"), Reason.BAD_PLACE, "lat: lon and lat must come together; got nothing"),
    "lat with lon null": (reading(lon="null", lat="23"), Reason.BAD_PLACE, "lon: lon and lat must come together"),
    "swapped coordinates": (reading(lon="23.1", lat="113.2"), Reason.BAD_PLACE, "lat: must be in -90..90; got 113.2"),
    "lon off the earth": (reading(lon="180.0000001", lat="0"), Reason.BAD_PLACE, "lon: must be in -180..180"),
    "lon a string": (reading(lon='"113"', lat="23"), Reason.BAD_TYPE, "lon: must be a number or null; got '113'"),
    "lat true": (reading(lon="113", lat="true"), Reason.BAD_TYPE, "lat: must be a number or null; got true"),
    "lat infinite": (reading(lon="113", lat="1e999"), Reason.NOT_FINITE, "lat: must be finite; got 1e999"),
    "unknown crs": (reading(lon="113", lat="23", crs='"utm50"'), Reason.BAD_CRS, "got 'utm50'"),
    "crs in capitals": (reading(crs='"GCJ02"'), Reason.BAD_CRS, "crs: must be one of wgs84, cgcs2000, gcj02, bd09"),
    "crs a number": (reading(crs="4326"), Reason.BAD_CRS, "got 4326"),
    "attrs a list": (reading(attrs="[]"), Reason.BAD_ATTRS, "attrs: must be an object; got an array"),
    "attrs nested": (reading(attrs='{"a":{}}'), Reason.BAD_ATTRS, "attrs.a: must be a string, a number"),
    "attrs with a list": (reading(attrs='{"a":[1]}'), Reason.BAD_ATTRS, "got an array"),
    "attrs infinite": (reading(attrs='{"a":1e400}'), Reason.BAD_ATTRS, "attrs.a: must be finite; got 1e400"),
    "attrs of 33": (reading(attrs=json.dumps({str(n): n for n in range(33)})), Reason.BAD_ATTRS, "32 keys; got 33"),
    "tick without t": (b'{"kind":"tick"}', Reason.BAD_CONTROL, "tick: t: must be there; got nothing"),
    "plan without digest": (b'{"kind":"plan","t":1}', Reason.BAD_CONTROL, "plan: digest: must be there; got nothing"),
    "plan with a short digest": (b'{"kind":"plan","t":1,"digest":"ab"}', Reason.BAD_CONTROL, "digits; got 'ab'"),
    "tick in an array": (b'[{"kind":"tick","t":1}]', Reason.CONTROL_IN_FRAME, "must stand alone"),
    "array not closed": (b"[" + GOOD.encode(), Reason.BAD_JSON, "frame: must be a closed array"),
    "array with a trailing comma": (b"[" + GOOD.encode() + b",]", Reason.BAD_JSON, "reading between its commas"),
    "over 1 MiB": (b" " * (1 << 20) + GOOD.encode(), Reason.FRAME_TOO_LARGE, "record: at most 1048576 bytes"),
    "over 10,000 readings": (b"[" + b"1," * 10_000 + b"1]", Reason.FRAME_TOO_LARGE, "10000 readings; got 10001"),
    "over 10,000 lines": (b"{}\n" * 10_001, Reason.FRAME_TOO_LARGE, "10000 readings; got 10001"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "detail"), REJECTED.values(), ids=REJECTED)
def test_is_rejected_with_its_reason_and_disturbs_nothing_else(text: bytes, reason: Reason, detail: str) -> None:
    answer = decoded(GOOD.encode(), text, GOOD.encode())
    assert answer.table["record"].tolist() == [0, 2]
    assert [(reject.record, reject.index, reject.reason) for reject in answer.rejects] == [(1, 0, reason)]
    assert detail in answer.rejects[0].detail
    assert answer.rejects[0].raw == text.strip(b" \t\r\n") or answer.rejects[0].raw in text
    answer.rejects[0].detail.encode()


ACCEPTED = {
    "null place, crs and attrs are absent": (reading(lon="null", lat="null", crs="null", attrs="null"), 1.5),
    "true is 1": (reading(v="true"), 1.0),
    "false is 0": (reading(v="false"), 0.0),
    "the last of duplicate keys": (reading(v='"x","v":2'), 2.0),
    "a duplicate key of another type": (reading(v='{"a":1},"v":3'), 3.0),
    "an escaped field name": (GOOD.replace('"v"', r'"\u0076"').encode(), 1.5),
    "an exponent": (reading(v="15E-1"), 1.5),
    "both ends of the range": (reading(v="150"), 150.0),
    "17 digits": (reading(v="0.30000000000000004"), 0.1 + 0.2),
    "an unknown field": (reading(note="[1,{}]"), 1.5),
    "1e400 in an unknown field": (reading(note="1e400"), 1.5),
    "32 attributes": (reading(attrs=json.dumps({str(n): n for n in range(32)})), 1.5),
    "a pair of surrogates": (reading(attrs=r'{"mode":"\ud83d\ude00"}'), 1.5),
    "pretty printed": (json.dumps(json.loads(GOOD), indent=2).encode(), 1.5),
    "a carriage return behind": (GOOD.encode() + b"\r", 1.5),
    "nested 250 deep in an unknown field": (reading(note="[" * 250 + "]" * 250), 1.5),
}


@pytest.mark.parametrize(("text", "value"), ACCEPTED.values(), ids=ACCEPTED)
def test_is_accepted(text: bytes, value: float) -> None:
    answer = decoded(text)
    assert answer.rejects == []
    assert answer.table["v"].tolist() == [value]


def test_unknown_top_level_fields_are_counted() -> None:
    assert decoded(reading(note="1", more='{"a":1}'), reading(note='"x"')).unknown_fields == 3


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ('"2026-07-01T08:00:00+08:00"', 1_782_864_000_000),
        ('"2026-07-01t00:00:00z"', 1_782_864_000_000),
        ('"2026-07-01T00:00:00.1239999Z"', 1_782_864_000_123),
        ('"1969-12-31T23:59:59.9999Z"', -1),
        ('"2016-12-31T23:59:60Z"', 1_483_228_800_000),
        ("-0", 0),
    ],
)
def test_time_is_read_to_the_millisecond(text: str, t: int) -> None:
    assert decoded(reading(t=text)).table["t"].tolist() == [t]


@pytest.mark.parametrize(
    ("lon", "e7"),
    [
        ("113.2644", 1_132_644_000),
        ("0.00390625", 39_062),
        ("0.01171875", 117_188),
        ("-0.00000006", -1),
        ("180", 1_800_000_000),
        ("1132644e-4", 1_132_644_000),
    ],
)
def test_a_place_is_rounded_to_seven_decimals(lon: str, e7: int) -> None:
    answer = decoded(reading(lon=lon, lat="23.1"))
    assert (answer.table["lon"].tolist(), answer.table["lat"].tolist()) == ([e7], [231_000_000])


def test_a_broken_part_of_a_frame_does_not_take_the_others_along() -> None:
    answer = decoded(b"[" + b",".join([GOOD.encode(), reading(v="NaN"), b"{oops}", GOOD.encode()]) + b"]")
    assert answer.table["index"].tolist() == [0, 3]
    assert [(reject.index, reject.reason, reject.raw) for reject in answer.rejects] == [
        (1, Reason.NOT_FINITE, reading(v="NaN")),
        (2, Reason.BAD_JSON, b"{oops}"),
    ]


def test_a_broken_line_of_a_frame_does_not_take_the_others_along() -> None:
    answer = decoded(
        b"\n".join([b'{"sensor', GOOD.encode() + b"\r", b"", b"5", b'{"kind":"tick","t":1}', GOOD.encode()])
    )
    assert answer.table["index"].tolist() == [1, 4]
    assert [(reject.index, reject.reason) for reject in answer.rejects] == [
        (0, Reason.BAD_JSON),
        (2, Reason.NOT_AN_OBJECT),
        (3, Reason.CONTROL_IN_FRAME),
    ]


def test_an_empty_array_says_nothing() -> None:
    answer = decoded(b"[ ]")
    assert (answer.n, answer.rejects) == (0, [])


def test_decoding_stops_behind_a_plan_record() -> None:
    plan = b'{"kind":"plan","t":7,"digest":"' + b"ab" * 32 + b'"}'
    answer = decoded(GOOD.encode(), b'{"kind":"tick","t":5}', plan, GOOD.encode(), plan)
    assert answer.next_record == 3
    assert answer.table["record"].tolist() == [0]
    assert [(control.record, control.kind, control.t) for control in answer.controls] == [
        (1, "tick", 5),
        (2, "plan", 7),
    ]


def test_offline_the_log_time_is_read_from_the_reading_or_the_tick() -> None:
    tick = b'{"kind":"tick","t":5,"log_t":9}'
    answer = decoded(GOOD.encode(), reading(log_t="1700000000777"), tick, reading(log_t='"x"'), online=False)
    assert answer.table["log_time"].tolist() == [1_700_000_000_000, 1_700_000_000_777]
    assert answer.controls[0].log_time == 9
    assert answer.rejects[0].reason is Reason.BAD_TIME


def test_online_a_log_t_in_the_reading_says_nothing() -> None:
    answer = decoded(reading(log_t='"x"'))
    assert (answer.table["log_time"].tolist(), answer.unknown_fields) == ([1_700_000_000_000], 0)
