"""Grids and zone sets."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pytest

from geo import NO_PLACE
from geo.errors import FileRefused, GeoError
from geo.grids import GridSet
from geo.load import as_shapely
from geo.polygons import Polygons
from geo.tiling import area_m2, flaws, gaps, out_of_order, overlaps, slivers
from geo.zones import ZoneSet, load_zones

A, B, C, D = (f"33068300102800{i}" for i in range(1, 5))


def box(west: int, south: int, east: int, north: int) -> list[tuple[int, int]]:
    return [(west, south), (east, south), (east, north), (west, north)]


def grid_set(**rings: list[tuple[int, int]]) -> GridSet:
    return GridSet([f"33068300102800{k[-1]}" for k in rings], Polygons.build([[[ring]] for ring in rings.values()]))


def where(grids: GridSet, *places: tuple[int, int]) -> list[str | None]:
    x, y = np.array(places, np.int32).T
    return [grids.code_of(int(row)) for row in grids.locate(x, y)]


FOUR = grid_set(g1=box(0, 10, 10, 20), g2=box(10, 10, 20, 20), g3=box(0, 0, 10, 10), g4=box(10, 0, 20, 10))


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ((5, 15), A),
        ((15, 15), B),
        ((5, 5), C),
        ((15, 5), D),
        ((10, 15), A),
        ((10, 5), C),
        ((15, 10), B),
        ((10, 10), A),
        ((20, 0), D),
        ((0, 0), C),
        ((11, 10), B),
        ((-1, 5), None),
        ((21, 20), None),
        ((NO_PLACE, NO_PLACE), None),
    ],
    ids=str,
)
def test_a_border_belongs_to_the_smallest_code(place: tuple[int, int], code: str | None) -> None:
    assert where(FOUR, place) == [code]


def test_a_hole_is_outside_and_its_border_inside() -> None:
    ring = GridSet([A], Polygons.build([[[box(0, 0, 30, 30), box(10, 10, 20, 20)]]]))
    assert where(ring, (5, 5), (15, 15), (10, 15), (20, 20), (9, 15)) == [A, None, A, A, A]


def test_a_grid_may_have_several_parts() -> None:
    parts = GridSet([A], Polygons.build([[[box(0, 0, 5, 5)], [box(100, 100, 105, 105)]]]))
    assert where(parts, (2, 2), (103, 103), (50, 50)) == [A, A, None]


def test_the_whole_earth_is_decided_without_overflow() -> None:
    edge = 1_800_000_000
    halves = GridSet(
        [A, B],
        Polygons.build(
            [
                [[[(-edge, -edge // 2), (edge, edge // 2), (-edge, edge // 2)]]],
                [[[(-edge, -edge // 2), (edge, -edge // 2), (edge, edge // 2)]]],
            ]
        ),
    )
    places = ((0, 0), (2, 1), (2, 0), (3, 1), (edge - 1, edge // 2 - 1), (edge - 3, edge // 2 - 1), (1, 1))
    assert where(halves, *places) == [A, A, B, B, B, A, A]


def test_no_grids_hold_no_place() -> None:
    assert where(GridSet.empty(), (0, 0)) == [None]


def test_codes_must_ascend() -> None:
    with pytest.raises(GeoError, match="ascend"):
        GridSet([B, A], FOUR.polygons.take(np.array([0, 1])))


def test_places_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        FOUR.locate(np.zeros(2, np.int32), np.zeros(3, np.int32))


def test_canonical_bytes_depend_on_codes_and_shapes_alone() -> None:
    ring = box(0, 0, 10, 10)
    turned = GridSet([A], Polygons.build([[[ring[2:] + ring[:2]]]]), [{"officer": "x"}])
    reversed_ring = GridSet([A], Polygons.build([[[ring[::-1]]]]))
    other = GridSet([A], Polygons.build([[[box(0, 0, 10, 11)]]]))
    plain = GridSet([A], Polygons.build([[[ring]]]))
    assert plain.canonical() == turned.canonical() == reversed_ring.canonical()
    assert plain.canonical() != other.canonical()


def test_grids_come_back_from_their_canonical_bytes() -> None:
    back = GridSet.from_canonical(FOUR.canonical())
    assert back.codes == FOUR.codes
    assert back.canonical() == FOUR.canonical()
    assert where(back, (10, 10), (15, 5)) == [A, D]


@pytest.mark.parametrize("cut", [0, 5, 20, 60, -1])
def test_other_bytes_are_not_grids(cut: int) -> None:
    with pytest.raises((GeoError, ValueError)):
        GridSet.from_canonical(FOUR.canonical()[:cut])


def test_geojson_out_is_geojson_in(tmp_path: Path) -> None:
    (tmp_path / "grids.geojson").write_bytes(FOUR.geojson())
    back = GridSet.from_geojson(tmp_path / "grids.geojson")
    assert back.canonical() == FOUR.canonical()
    assert back.properties[0]["code"] == A


@pytest.mark.parametrize("key", ["code", "grid", "GRID_CODE", "bgcode", "网格编码", None])
def test_the_code_is_found_under_its_usual_names(tmp_path: Path, key: str | None) -> None:
    feature = FOUR.feature(2)
    feature["properties"] = {key: C} if key else {}
    feature["id"] = C if key is None else 7
    document = {"type": "FeatureCollection", "crs": "wgs84", "features": [feature]}
    (tmp_path / "g.json").write_bytes(orjson.dumps(document))
    assert GridSet.from_geojson(tmp_path / "g.json").codes == (C,)


def test_grids_of_a_box_are_found() -> None:
    assert FOUR.within(0.0, 0.0, 9e-7, 9e-7) == [2]
    assert FOUR.within(-1.0, -1.0, 1.0, 1.0) == [0, 1, 2, 3]


def test_grids_that_share_their_vertices_tile() -> None:
    assert flaws(FOUR) == []


def shapes(**rings: list[tuple[int, int]]) -> npt.NDArray[np.object_]:
    return as_shapely(grid_set(**rings).polygons)


def test_an_overlap_names_both_grids() -> None:
    found = list(overlaps(shapes(g1=box(0, 0, 1000, 1000), g2=box(900, 0, 2000, 1000))))
    assert [rows for rows, _ in found] == [(0, 1)]
    assert area_m2(found[0][1]) == pytest.approx(100 * 1000 * 1.11e-2 * 1.11e-2, rel=0.02)


def test_a_gap_between_grids_is_found_and_the_outline_is_none() -> None:
    frame = {
        "g1": box(0, 20, 30, 30),
        "g2": box(0, 10, 10, 20),
        "g3": box(20, 10, 30, 20),
        "g4": box(0, 0, 30, 10),
    }
    assert [rows for rows, _ in gaps(shapes(**frame))] == [(0, 1, 2, 3)]


def test_an_island_in_a_gap_is_no_part_of_it() -> None:
    around = [box(0, 2000, 3000, 3000), box(0, 1000, 1000, 2000), box(2000, 1000, 3000, 2000), box(0, 0, 3000, 1000)]
    named = {f"g{i}": ring for i, ring in enumerate([*around, box(1100, 1100, 1900, 1900)], start=1)}
    ((rows, gap),) = gaps(shapes(**named))
    assert rows == (0, 1, 2, 3, 4)
    assert area_m2(gap) == pytest.approx((1000**2 - 800**2) * 1.11e-2 * 1.11e-2, rel=0.02)


def test_a_narrow_slit_that_is_open_to_the_outside_is_a_gap_and_a_wide_one_is_outline() -> None:
    def apart(west_m: float) -> list[tuple[int, ...]]:
        west = 9000 + round(west_m * 90)
        return [rows for rows, _ in gaps(shapes(g1=box(0, 0, 9000, 9000), g2=box(west, 0, 18000, 9000)))]

    assert apart(0.0) == []
    assert apart(1.0) == [(0, 1)]
    assert apart(4.0) == []


def test_a_strip_is_a_sliver() -> None:
    both = shapes(g1=box(0, 0, 9000, 9000), g2=box(9000, 0, 9100, 9000))
    assert [rows for rows, _ in slivers(both)] == [(1,)]


def test_serials_out_of_order_are_remarked() -> None:
    assert out_of_order(FOUR) == []
    assert out_of_order(grid_set(g1=box(10, 0, 20, 10), g2=box(0, 0, 10, 10))) == [0]


def test_a_zone_holds_its_border() -> None:
    zone = ZoneSet("school", Polygons.build([[[box(0, 0, 10, 10)]], [[box(5, 5, 20, 20)]]]))
    x, y = np.array([[0, 0], [10, 20], [7, 7], [21, 20], [NO_PLACE, NO_PLACE]], np.int32).T
    assert zone.contains(x, y).tolist() == [True, True, True, False, False]
    assert ZoneSet.from_canonical(zone.canonical()).canonical() == zone.canonical()


def test_zone_sets_are_named_by_their_files(tmp_path: Path) -> None:
    zone = ZoneSet("school", Polygons.build([[[box(0, 0, 10, 10)]]]))
    (tmp_path / "school.geojson").write_bytes(zone.geojson())
    (tmp_path / "no_dumping.geojson").write_bytes(zone.geojson())
    (tmp_path / "notes.txt").write_text("not a zone set")
    assert list(load_zones(tmp_path)) == ["no_dumping", "school"]


def test_faults_of_all_zone_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text("{")
    (tmp_path / "b.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    (tmp_path / "Bad Name.geojson").write_text("{}")
    with pytest.raises(FileRefused) as refused:
        load_zones(tmp_path)
    assert [Path(fault.file).name for fault in refused.value.faults] == ["Bad Name.geojson", "a.geojson", "b.geojson"]
