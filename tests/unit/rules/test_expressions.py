"""What expressions answer, and which are refused when the rule is loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geo import NO_PLACE
from geo.polygons import Polygons
from geo.zones import ZoneSet
from rules.columns import Column
from rules.errors import ExpressionError
from rules.expression import Type, compile_expression

SQUARE = [(1_200_000_000, 300_000_000), (1_200_100_000, 300_000_000), (1_200_100_000, 300_100_000)]
SCHOOL = ZoneSet("school", Polygons.build([[[[*SQUARE, (1_200_000_000, 300_100_000)]]]]))
MONDAY_8_30 = 1_780_273_800_000  # 2026-06-01T08:30:00+08:00


class Reading:
    """One reading as columns: v 12, sensor "S-1", at the school's corner, a Monday 08:30 in Shanghai."""

    n = 1
    t = np.array([MONDAY_8_30], np.int64)
    v = np.array([12.0])
    lon_e7 = np.array([1_200_000_000], np.int32)
    lat_e7 = np.array([300_000_000], np.int32)
    attrs: dict[str, Any] = {"text": "calibration", "three": 3.0, "yes": True, "no": False, "火": 1.0}  # noqa: RUF012

    def attr(self, name: str) -> Column:
        return Column.of([self.attrs.get(name)])

    def sensor(self) -> Column:
        return Column.of(["S-1"])

    def kind(self) -> Column:
        return Column.of(["gas.methane"])

    def zone(self, name: str) -> ZoneSet:
        assert name == "school"
        return SCHOOL


class Nowhere(Reading):
    """The same without a place."""

    lon_e7 = np.array([NO_PLACE], np.int32)
    lat_e7 = np.array([NO_PLACE], np.int32)


def answer(text: str, reading: Reading | None = None) -> bool | float | str | None:
    expression = compile_expression(text, zones=("school",))
    return expression.evaluate(reading or Reading()).value(0)


ANSWERS: dict[str, bool | float | None] = {
    "v": 12.0,
    "5/2 == 2.5": True,
    "-5 % 3": -2.0,
    "5 % -3": 2.0,
    "-5.5 % 2": -1.5,
    "7 - 2 - 1": 4.0,
    "2 + 3 * 4": 14.0,
    "(2 + 3) * 4": 20.0,
    "2 * 3 % 4": 2.0,
    "-v": -12.0,
    "--v": 12.0,
    ".5 + 1e1": 10.5,
    "1 / 0": None,
    "1 % 0": None,
    "0 / v": 0.0,
    "1e308 * 10": None,
    "1e308 * 10 > 1": None,
    "-1e308 - 1e308": None,
    "v > 12": False,
    "v >= 12": True,
    "v == 12.0": True,
    "v != 12": False,
    # three-valued logic
    "attrs.none && true": None,
    "attrs.none && false": False,
    "false && attrs.none": False,
    "attrs.none || true": True,
    "true || attrs.none": True,
    "attrs.none || false": None,
    "!attrs.none": None,
    "!attrs.yes": False,
    "attrs.three && false": False,
    "attrs.three && true": None,
    "!attrs.three": None,
    "true && attrs.yes || false": True,
    "false && true || true": True,
    # equality always answers
    "attrs.none == null": True,
    "attrs.none != null": False,
    "null == null": True,
    "attrs.three == null": False,
    'v == "a"': False,
    'v != "a"': True,
    "attrs.yes == 1": False,
    "attrs.yes == true": True,
    'attrs.text == "calibration"': True,
    'attrs.text == "calibratio"': False,
    'attrs.text == "calibrations"': False,
    'attrs.none != "calibration"': True,
    "attrs.text == attrs.text": True,
    "attrs.text == sensor": False,
    "v == [12]": False,
    "[1, \"a\"] == [1.0, 'a']": True,
    "[1] == [true]": False,
    "v in [1, 12]": True,
    "v in []": False,
    'v in ["12", true, null]': False,
    "attrs.none in [null]": True,
    "attrs.none in [0, false]": False,
    "attrs.yes in [1]": False,
    "attrs.three in [-3, 3]": True,
    'sensor in ["S-1"]': True,
    "v in 12": False,
    # order
    '"a" < "b"': True,
    '"a" < "a"': False,
    '"a" <= "a"': True,
    '"a" < "ab"': True,
    '"" < "a"': True,
    '"Z" < "a"': True,
    '"\\uffff" < "\\U00010000"': True,  # by code point, not by UTF-16 unit
    'sensor > "S-0"': True,
    "attrs.yes > attrs.no": None,
    "true > false": None,
    "attrs.text > 1": None,
    "attrs.text < v": None,
    "attrs.none < 1": None,
    "null < 1": None,
    # arithmetic on what is no number
    "attrs.text + 1": None,
    "attrs.yes + 1": None,
    "attrs.none * 2": None,
    "null + 1 == null": True,
    # choice
    "v > 10 ? 1 : 2": 1.0,
    "v > 20 ? 1 : 2": 2.0,
    "v > 20 ? 1 : v > 10 ? 2 : 3": 2.0,
    "attrs.none ? 1 : 2": None,
    "attrs.three ? 1 : 2": None,
    "v > 10 ? null : 1": None,
    '(v > 10 ? "a" : sensor) == "a"': True,
    '(v > 20 ? "a" : sensor) == "S-1"': True,
    "(v > 10 ? 1 : attrs.text) == 1": True,
    # functions
    "abs(-3)": 3.0,
    "abs(attrs.text)": None,
    "min(v, 3, 5)": 3.0,
    "max(v, 3)": 12.0,
    "max(v)": 12.0,
    "min(v, attrs.none)": None,
    "has(attrs.text)": True,
    "has(attrs.none)": False,
    "has(attrs.no)": True,
    "hour()": 8.0,
    "weekday()": 1.0,
    'starts_with(sensor, "S-")': True,
    'starts_with(sensor, "")': True,
    'starts_with(sensor, "S-1x")': False,
    'ends_with(sensor, "-1")': True,
    'ends_with(sensor, "1-")': False,
    "starts_with(attrs.three, attrs.text)": None,
    'starts_with(attrs.none, "a")': None,
    'kind == "gas.methane"': True,
    "lon": 120.0,
    "lat": 30.0,
    'inside("school")': True,
    'outside("school")': False,
    "'single' == \"single\"": True,
    '"\\"\\\\\\n\\u4e2d" == "\\"\\\\\\n中"': True,
    "v\n>\n10": True,
}


@pytest.mark.parametrize(("text", "value"), ANSWERS.items(), ids=ANSWERS.keys())
def test_an_expression_answers(text: str, value: bool | float | None) -> None:
    found = answer(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["lon", "lat", "lon + lat", 'inside("school")', 'outside("school")', '!inside("school")']
)
def test_without_a_place_there_is_no_answer(text: str) -> None:
    assert answer(text, Nowhere()) is None


def test_outside_of_the_city_the_clock_is_the_city_s() -> None:
    for tz, hour in (("Asia/Shanghai", 8.0), ("UTC", 0.0), ("America/New_York", 20.0)):
        assert compile_expression("hour()", tz=tz).evaluate(Reading()).value(0) == hour


def test_an_attribute_of_another_type_is_null_to_where_and_to_measure() -> None:
    where = compile_expression("attrs.three", wants=(Type.BOOL,))
    measure = compile_expression("attrs.text", wants=(Type.NUMBER, Type.BOOL))
    assert where.evaluate(Reading()).value(0) is None
    assert measure.evaluate(Reading()).value(0) is None
    assert compile_expression("attrs.yes").evaluate(Reading()).value(0) is True


def test_an_expression_tells_what_it_reads() -> None:
    expression = compile_expression('has(attrs.a) && (attrs.b > hour() || !inside("school"))', zones=("school", "x"))
    assert (expression.attrs, expression.zones, expression.clock) == ({"a", "b"}, {"school"}, True)
    assert compile_expression("v > 1").clock is False


REFUSED = {
    'v + "a"': "4: + needs numbers on both sides; got a string",
    "v + true": "4: + needs numbers on both sides; got a boolean",
    "!v": "1: ! needs a boolean; got a number",
    "-sensor": "1: - needs a number; got a string",
    "v && true": "0: && needs booleans on both sides; got a number",
    "true || sensor": "8: || needs booleans on both sides; got a string",
    'v < "a"': "2: < needs two numbers or two strings; got number < string",
    "v < true": "2: < needs two numbers or two strings; got number < boolean",
    "1 < 2 < 3": "6: < needs two numbers or two strings; got boolean < number",
    "v ? 1 : 2": "0: ? needs a boolean before it; got a number",
    "[1] < 2": "0: a list may stand beside in, == and != only; got a list",
    "true ? [1] : [2]": "7: a list may stand beside in, == and != only; got a list",
    "abs(sensor)": "4: abs needs numbers; got a string",
    "abs()": "0: abs needs 1 argument(s); got 0",
    "min()": "0: min needs at least one argument; got none",
    "hour(1)": "0: hour needs 0 argument(s); got 1",
    "has(v)": "4: has needs attrs.NAME; got something else",
    "inside(sensor)": "7: inside needs the name of a zone set in quotes; got something else",
    'inside("park")': "7: must name a zone set that exists (school); got park",
    'starts_with("a", 1)': "17: starts_with needs strings; got a number",
    "sensor": "0: must be a boolean or a number; got a string",
    "null": "0: must be a boolean or a number; got a null",
    "[1]": "0: must be a boolean or a number; got a list",
    "": "0: must be an expression; got nothing",
    "  ": "0: must be an expression; got nothing",
    "v >": "3: must be a value here; got the end",
    "v v": "2: must end or go on with an operator; got v",
    "(v": "2: must be ')' here; got the end",
    "v)": "1: must end or go on with an operator; got )",
    "v = 1": "2: must be an expression; got = 1",
    "v; v": "1: must be an expression; got ; v",
    "value > 1": "0: must be one of v, lon, lat, sensor, kind, attrs.NAME or a function; got value",
    "attrs > 1": "6: must be '.' here; got >",
    "attrs.1": "5: must be '.' here; got .1",
    "attrs.火 > 1": "6: must be an expression; got 火 > 1",
    'attrs["a"]': "5: must be '.' here; got [",
    "attrs.a.b": "7: there are no methods, fields or indices here; got .",
    "sensor.size()": "6: there are no methods, fields or indices here; got .",
    "eval(v)": "0: must be one of the functions abs, min, max, has, hour, weekday, inside, outside, starts_with, "
    "ends_with; got eval",
    '"abc': '0: a string must be closed; got "abc',
    '"a\nb"': '0: a string must be closed; got "a\nb"',
    '"\\q"': "1: must be a known escape; got \\q",
    '"\\ud800"': "1: must be a Unicode character; got \\ud800",
    "1e400": "0: a number must be a finite double; got 1e400",
    "5x": "1: a number must end before a letter; got 5x",
    "0x10": "1: a number must end before a letter; got 0x",
    "1.": "1: a number must end before a letter; got 1.",
    "v in [v]": "6: a list must hold literals only; got v",
    "v in [[1]]": "6: a list must hold literals only; got [",
    "v in [1,]": "8: a list must hold literals only; got ]",
    "v in [-true]": "7: a list must hold literals only; got true",
    "v and true": "2: must end or go on with an operator; got and",
    "true ? 1": "8: must be ':' here; got the end",
}


@pytest.mark.parametrize(("text", "fault"), REFUSED.items(), ids=REFUSED.keys())
def test_an_expression_is_refused_at_its_place(text: str, fault: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        compile_expression(text, zones=("school",))
    assert str(refusal.value) == f"at {fault}"


@pytest.mark.parametrize(
    ("below", "above", "rule"),
    [
        ("v" + " " * 4095, "v" + " " * 4096, "an expression must be at most 4096 bytes"),
        (
            '"' + "中" * 1360 + '" != sensor',
            '"' + "中" * 1365 + '" != sensor',
            "an expression must be at most 4096 bytes",
        ),
        ("+".join("v" * 100), "+".join("v" * 101), "an expression must have at most 200 nodes"),
        (f"v in [{','.join('1' * 197)}]", f"v in [{','.join('1' * 198)}]", "an expression must have at most 200 nodes"),
        ("-" * 199 + "v", "-" * 200 + "v", "an expression must have at most 200 nodes"),
        ("(" * 63 + "v" + ")" * 63, "(" * 64 + "v" + ")" * 64, "must be nested at most 64 deep"),
        ("(" * 63 + "v" + ")" * 63, "(" * 2000 + "v" + ")" * 2000, "must be nested at most 64 deep"),
        ("true ? 1 : " * 49 + "2", "true ? 1 : " * 70 + "2", "an expression must have at most 200 nodes"),
    ],
    ids=["bytes", "bytes of UTF-8", "nodes", "list items", "signs", "brackets", "many brackets", "choices"],
)
def test_an_expression_has_bounds(below: str, above: str, rule: str) -> None:
    compile_expression(below).evaluate(Reading())
    with pytest.raises(ExpressionError, match=rule):
        compile_expression(above)
