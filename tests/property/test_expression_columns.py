"""An expression over columns answers what it answers row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import event, given, reject
from hypothesis import strategies as st

from geo import NO_PLACE
from geo.polygons import Polygons
from geo.zones import ZoneSet
from rules.columns import Column
from rules.errors import ExpressionError
from rules.expression import Expression, compile_expression
from tests.reference.expression import Parser, Seen, evaluate

BOX = (1_000, 1_000, 2_000, 2_000)
SCHOOL = ZoneSet("school", Polygons.build([[[[(1_000, 1_000), (2_000, 1_000), (2_000, 2_000), (1_000, 2_000)]]]]))
TIME_ZONES = ("Asia/Shanghai", "America/New_York", "UTC", "Australia/Lord_Howe")

texts = st.sampled_from(["", "a", "ab", "b", "é", "中", "\U0001f525", "calibration", "\x00", "zz"])
numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, 3.0, 1e308, -1e308, 5e-324, 1e-9]) | st.floats(-1e6, 1e6)
scalars = st.none() | st.booleans() | numbers | texts


@dataclass
class Batch:
    """Readings as columns."""

    rows: list[Seen]

    @property
    def n(self) -> int:
        return len(self.rows)

    @property
    def t(self) -> Any:
        return np.array([row.t for row in self.rows], np.int64)

    @property
    def v(self) -> Any:
        return np.array([row.v for row in self.rows], np.float64)

    @property
    def lon_e7(self) -> Any:
        return np.array([NO_PLACE if row.lon_e7 is None else row.lon_e7 for row in self.rows], np.int32)

    @property
    def lat_e7(self) -> Any:
        return np.array([NO_PLACE if row.lat_e7 is None else row.lat_e7 for row in self.rows], np.int32)

    def attr(self, name: str) -> Column:
        return Column.of([row.attrs.get(name) for row in self.rows])

    def sensor(self) -> Column:
        return Column.of([row.sensor for row in self.rows])

    def kind(self) -> Column:
        return Column.of([row.kind for row in self.rows])

    def zone(self, name: str) -> ZoneSet:
        assert name == "school"
        return SCHOOL


def inside_box(name: str, lon: int, lat: int) -> bool:
    assert name == "school"
    return BOX[0] <= lon <= BOX[2] and BOX[1] <= lat <= BOX[3]


@st.composite
def batches(draw: st.DrawFn, tz: str) -> Batch:
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.none() | st.tuples(st.integers(990, 2_010), st.sampled_from([999, 1_000, 1_500, 2_001])))
        lon, lat = place if place is not None else (None, None)
        attrs = draw(st.dictionaries(st.sampled_from("abc"), scalars))
        t = draw(st.integers(0, 2_000_000_000_000))
        sensor = draw(st.sampled_from(["S1", "S2", "a"]))
        rows.append(Seen(draw(numbers), t, sensor, "gas.methane", lon, lat, attrs, tz, inside_box))
    return Batch(rows)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(value)
    return repr(value) if math.copysign(1, value) > 0 else f"(-{-value!r})"


attributes = st.sampled_from(["attrs.a", "attrs.b", "attrs.c"])
plain_texts = texts.filter(lambda text: "\x00" not in text)
leaf_numbers = st.sampled_from(["v", "lon", "lat", "hour()", "weekday()"]) | numbers.map(literal) | attributes
leaf_strings = st.sampled_from(["sensor", "kind"]) | plain_texts.map(quoted) | attributes
leaf_booleans = (
    st.sampled_from(["true", "false", "null", 'inside("school")', 'outside("school")', "has(attrs.a)"]) | attributes
)


def grown(depth: int) -> tuple[st.SearchStrategy[str], st.SearchStrategy[str], st.SearchStrategy[str]]:
    """Numbers, strings and booleans of at most that depth; any of them may turn out null or of another type."""
    if depth == 0:
        return leaf_numbers, leaf_strings, leaf_booleans
    number, string, boolean = grown(depth - 1)

    def joined(signs: list[str], left: Any, right: Any) -> st.SearchStrategy[str]:
        return st.builds(lambda a, sign, b: f"({a} {sign} {b})", left, st.sampled_from(signs), right)

    def chosen(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(lambda c, a, b: f"({c} ? {a} : {b})", boolean, part, part | st.just("null"))

    def called(names: list[str], *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(lambda name, *args: f"{name}({', '.join(args)})", st.sampled_from(names), *parts)

    anything = number | string | boolean
    listed = st.lists(scalars.filter(lambda x: x != "\x00").map(lambda x: literal(x).strip("()")), max_size=4)
    numbers_out = (
        leaf_numbers
        | joined(["+", "-", "*", "/", "%"], number, number)
        | number.map(lambda a: f"-{a}")
        | called(["abs"], number)
        | called(["min", "max"], number, number)
        | chosen(number)
    )
    booleans_out = (
        leaf_booleans
        | joined(["&&", "||"], boolean, boolean)
        | boolean.map(lambda a: f"!{a}")
        | joined(["<", "<=", ">", ">="], number, number)
        | joined(["<", "<=", ">", ">="], string, string)
        | joined(["==", "!="], anything, anything)
        | st.builds(lambda a, items: f"({a} in [{', '.join(items)}])", anything, listed)
        | called(["starts_with", "ends_with"], string, string)
        | chosen(boolean)
    )
    return numbers_out, leaf_strings | chosen(string), booleans_out


NUMBERS, STRINGS, BOOLEANS = grown(3)


def compiled(text: str, tz: str) -> Expression:
    """Compile what the generator made; it may be too long, or null whatever comes, and nothing else may be wrong."""
    try:
        return compile_expression(text, zones=("school",), tz=tz)
    except ExpressionError as error:
        if "at most" in error.rule or error.got == "a null":
            reject()
        raise


@given(data=st.data())
def test_columns_answer_as_rows_do(data: st.DataObject) -> None:
    tz = data.draw(st.sampled_from(TIME_ZONES))
    text = data.draw(NUMBERS | BOOLEANS)
    expression = compiled(text, tz)
    batch = data.draw(batches(tz))
    column = expression.evaluate(batch)
    tree = Parser(text).whole()
    for row, seen in enumerate(batch.rows):
        value = evaluate(tree, seen)
        wanted = value if isinstance(value, bool | float) else None
        event(f"a {type(wanted).__name__}")
        assert (type(column.value(row)), column.value(row)) == (type(wanted), wanted)
    assert column.tag.shape == column.num.shape == (batch.n,)
    assert np.isfinite(column.num).all()
    assert (column.num[column.tag == 0] == 0).all()


@given(data=st.data())
def test_a_batch_cut_in_two_answers_the_same(data: st.DataObject) -> None:
    expression = compiled(data.draw(BOOLEANS), "Asia/Shanghai")
    batch = data.draw(batches("Asia/Shanghai"))
    cut = data.draw(st.integers(0, batch.n))
    whole = expression.evaluate(batch)
    parts = [expression.evaluate(Batch(rows)) for rows in (batch.rows[:cut], batch.rows[cut:])]
    assert whole.tag.tolist() == parts[0].tag.tolist() + parts[1].tag.tolist()
    assert whole.num.tolist() == parts[0].num.tolist() + parts[1].num.tolist()


@given(st.text(alphabet="v()[]!-+*/%<>=&|?:,. 0123456789abceinors_\"'\\tx", max_size=60))
def test_any_text_is_an_expression_or_is_refused_at_a_place_in_it(text: str) -> None:
    refusal = None
    try:
        compile_expression(text)
    except ExpressionError as error:
        refusal = error
    assert refusal is None or 0 <= refusal.at <= len(text)
