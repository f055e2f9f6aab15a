"""Road graphs: ways over them, and places along a way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geo.errors import FileRefused
from geo.roads import NoWay, RoadGraph

LON, LAT, STEP = 1_208_000_000, 296_000_000, 20_000
SIDE = 5
Place = tuple[float, float]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def place(node: int) -> tuple[int, int]:
    return LON + node % SIDE * STEP, LAT + node // SIDE * STEP


def lattice() -> list[tuple[int, int]]:
    across = [(n, n + 1) for n in range(SIDE * SIDE) if n % SIDE < SIDE - 1]
    return across + [(n, n + SIDE) for n in range(SIDE * (SIDE - 1))]


@st.composite
def graphs(draw: st.DrawFn) -> RoadGraph:
    """Some edges of a lattice, some with a bend in them, some of them corridors."""
    chosen = draw(st.lists(st.sampled_from(lattice()), min_size=1, unique=True))
    paths, properties = [], []
    for a, b in chosen:
        (ax, ay), (bx, by) = place(a), place(b)
        bend = draw(st.integers(-8000, 8000))
        middle = ((ax + bx) // 2 + bend, (ay + by) // 2 - bend)
        paths.append([(ax, ay), middle, (bx, by)] if bend else [(ax, ay), (bx, by)])
        properties.append({"name": f"{a}-{b}", "muck": draw(st.booleans())})
    return RoadGraph(paths, properties)


anywhere = st.tuples(st.floats(-0.001, 0.009), st.floats(-0.001, 0.009)).map(lambda p: (120.8 + p[0], 29.6 + p[1]))


def way(graph: RoadGraph, a: Place, b: Place, allowed: object = None) -> npt.NDArray[np.float64]:
    try:
        return graph.route(*a, *b, allowed)
    except NoWay:
        assume(False)
        raise


@given(graphs(), anywhere, anywhere, st.booleans())
def test_a_way_stays_on_allowed_edges(graph: RoadGraph, a: Place, b: Place, muck: bool) -> None:
    allowed = graph.muck if muck else None
    assume(allowed is None or allowed.any())
    line = way(graph, a, b, allowed)
    lon, lat = graph.along(line, np.linspace(0.0, graph.length_m(line), 40))
    for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
        assert graph.nearest(x, y, allowed).away_m < 1e-3


@given(graphs(), anywhere, anywhere)
def test_the_way_back_is_as_long(graph: RoadGraph, a: Place, b: Place) -> None:
    there, back = way(graph, a, b), way(graph, b, a)
    assert graph.length_m(there) == pytest.approx(graph.length_m(back), abs=1e-3)


@given(graphs(), anywhere, anywhere)
def test_a_way_begins_and_ends_at_the_nearest_places_on_roads(graph: RoadGraph, a: Place, b: Place) -> None:
    line = way(graph, a, b)
    for end, wanted in ((line[0], a), (line[-1], b)):
        x, y = graph.nearest(*wanted), graph.nearest(*end.tolist())
        assert y.away_m < 1e-3
        assert graph.length_m([end, wanted]) == pytest.approx(x.away_m, abs=1e-3)


@given(graphs(), st.integers(0, SIDE * SIDE - 1), st.integers(0, SIDE * SIDE - 1), st.booleans())
def test_no_way_between_crossings_is_shorter_and_none_is_missed(graph: RoadGraph, a: int, b: int, muck: bool) -> None:
    allowed = graph.muck if muck else np.ones(len(graph.edges), np.bool_)
    usable = [edge for edge, may in zip(graph.edges, allowed.tolist(), strict=True) if may]
    rows = {tuple(np.rint(node * 1e7).astype(int).tolist()): i for i, node in enumerate(graph.nodes)}
    ends = {end for edge in usable for end in (edge.start, edge.end)}
    start, end = rows.get(place(a)), rows.get(place(b))
    assume(start in ends and end in ends)
    assert start is not None
    assert end is not None
    far = np.full((len(rows), len(rows)), np.inf)
    np.fill_diagonal(far, 0.0)
    for edge in usable:
        far[edge.start, edge.end] = far[edge.end, edge.start] = min(edge.length_m, far[edge.start, edge.end])
    for k in range(len(rows)):
        far = np.minimum(far, far[:, k : k + 1] + far[k : k + 1])
    (ax, ay), (bx, by) = graph.nodes[start].tolist(), graph.nodes[end].tolist()
    if np.isinf(far[start, end]):
        with pytest.raises(NoWay):
            graph.route(ax, ay, bx, by, allowed)
    else:
        assert graph.length_m(graph.route(ax, ay, bx, by, allowed)) == pytest.approx(far[start, end], abs=1e-3)


def test_along_is_clamped_to_the_ends() -> None:
    graph = RoadGraph([[place(0), place(1)]], [{}])
    line = graph.edges[0].path
    lon, lat = graph.along(line, [-5.0, graph.length_m(line) / 2, 1e9])
    assert lon.tolist() == pytest.approx([120.8, 120.801, 120.802])
    assert lat.tolist() == pytest.approx([29.6] * 3)


def test_a_road_that_ends_where_it_began_is_taken_the_short_way_round() -> None:
    ring = [place(0), place(1), place(6), place(5), place(0)]
    graph = RoadGraph([ring], [{"name": "环路"}])
    line = graph.route(120.8005, 29.6, 120.8, 29.6005)
    assert graph.length_m(line) == pytest.approx(
        graph.length_m([[120.8005, 29.6], [120.8, 29.6], [120.8, 29.6005]]), abs=0.1
    )


def test_what_a_file_does_not_say_of_a_road_is_assumed(tmp_path: Path) -> None:
    file = tmp_path / "roads.geojson"
    line = {"type": "LineString", "coordinates": [[120.8, 29.6], [120.8, 29.6], [120.802, 29.6]]}
    feature = {"type": "Feature", "properties": {"width_m": "wide"}, "geometry": line}
    file.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [feature]}))
    (edge,) = RoadGraph.load(file).edges
    assert (edge.name, edge.kind, edge.width_m, edge.muck, len(edge.path)) == ("", "", 12.0, False, 2)


@pytest.mark.parametrize(
    ("geometry", "why"),
    [
        ({"type": "Polygon", "coordinates": []}, "must be a LineString"),
        ({"type": "LineString", "coordinates": [[120.8, 29.6]]}, "at least 2 positions"),
        ({"type": "LineString", "coordinates": [[120.8, 29.6], [120.8, 29.6]]}, "two different positions"),
        ({"type": "LineString", "coordinates": [[120.8, 29.6], [120.9, None]]}, "two finite numbers"),
        ({"type": "MultiLineString", "coordinates": 5}, "must be a LineString"),
        (None, "must be a LineString"),
    ],
    ids=str,
)
def test_what_is_no_road_is_refused(geometry: object, why: str, tmp_path: Path) -> None:
    file = tmp_path / "roads.geojson"
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    file.write_bytes(orjson.dumps({"type": "FeatureCollection", "crs": "wgs84", "features": [feature]}))
    with pytest.raises(FileRefused, match=why):
        RoadGraph.load(file)


def test_a_graph_without_roads_has_no_way() -> None:
    with pytest.raises(NoWay):
        RoadGraph([], []).nearest(120.8, 29.6)


def test_roads_written_are_the_roads_read(tmp_path: Path) -> None:
    before = RoadGraph([[place(0), place(1)], [place(1), place(6)]], [{"name": "甲路", "muck": True}, {"width_m": 20}])
    (tmp_path / "roads.geojson").write_bytes(before.geojson())
    after = RoadGraph.load(tmp_path / "roads.geojson")
    assert [(e.name, e.kind, e.width_m, e.muck, e.path.tolist()) for e in after.edges] == [
        (e.name, e.kind, e.width_m, e.muck, e.path.tolist()) for e in before.edges
    ]
