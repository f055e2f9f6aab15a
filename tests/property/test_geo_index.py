"""The index answers as shapely does on the same whole numbers; conversions come back."""

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import shapely
from hypothesis import assume, example, given
from hypothesis import strategies as st
from shapely.affinity import scale

from geo import NO_PLACE, crs
from geo.grids import GridSet
from geo.index import PolygonIndex
from geo.load import as_shapely
from geo.polygons import Polygons

Point = tuple[int, int]
# from polygons of a few units, where nearly every point is a border, to the whole earth
REACHES = st.sampled_from([3, 6, 20, 300, 20_000, 5_000_000, 1_800_000_000])


@st.composite
def shapes(draw: st.DrawFn, reach: int) -> shapely.Geometry:
    """A valid polygon or multipolygon, holes and touching parts included, with whole coordinates."""
    x, y = st.integers(-reach, reach), st.integers(-reach // 2, reach // 2)
    clouds = draw(st.lists(st.lists(st.tuples(x, y), min_size=3, max_size=9), min_size=1, max_size=3))
    found = [polygon for cloud in clouds if (polygon := _star(cloud)) is not None]
    assume(found)
    whole = found[0]
    if draw(st.booleans()):
        found.insert(1, scale(whole, 0.5, 0.5, origin=whole.representative_point()))
    for other in found[1:]:
        for joined in (shapely.difference(whole, other), shapely.union(whole, other)):
            rounded = shapely.transform(joined, np.rint)
            if rounded.is_valid and rounded.area > 0 and rounded.geom_type in ("Polygon", "MultiPolygon"):
                whole = rounded
                break
    return whole


def _star(cloud: list[Point]) -> shapely.Polygon | None:
    """The points in the order of their direction from the middle, if that makes a polygon."""
    places = np.array(sorted(set(cloud)), np.float64)
    away = places - places.mean(axis=0)
    ring = places[np.lexsort((np.hypot(*away.T), np.arctan2(away[:, 1], away[:, 0])))]
    polygon = shapely.Polygon(ring) if len(ring) >= 3 else None
    return polygon if polygon is not None and polygon.is_valid and polygon.area > 0 else None


def rows_of(shape: shapely.Geometry) -> list[list[list[Point]]]:
    return [
        [[(round(x), round(y)) for x, y in ring.coords[:-1]] for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(shape)
    ]


@st.composite
def layers(draw: st.DrawFn) -> tuple[Polygons, list[Point]]:
    """Polygons that overlap as they like; points at random, at vertices, on lines through them, and on edges."""
    reach = draw(REACHES)
    polygons = Polygons.build([rows_of(draw(shapes(reach))) for _ in range(draw(st.integers(1, 4)))])
    vertices = list(zip(polygons.x.tolist(), polygons.y.tolist(), strict=True))
    x, y = st.integers(-reach - 2, reach + 2), st.integers(-reach // 2 - 2, reach // 2 + 2)
    vertex = st.sampled_from(vertices)
    unit = st.integers(-1, 1)
    near = st.tuples(vertex, unit, unit).map(lambda v: (v[0][0] + v[1], v[0][1] + v[2]))
    level = st.tuples(x, vertex).map(lambda v: (v[0], v[1][1]))
    upright = st.tuples(vertex, y).map(lambda v: (v[0][0], v[1]))
    between = st.tuples(vertex, vertex).map(lambda v: ((v[0][0] + v[1][0]) // 2, (v[0][1] + v[1][1]) // 2))
    points = draw(st.lists(st.one_of(st.tuples(x, y), near, level, upright, between), min_size=1, max_size=60))
    return polygons, points


@given(layers())
def test_the_index_finds_the_first_polygon_that_shapely_finds(layer: tuple[Polygons, list[Point]]) -> None:
    polygons, points = layer
    xy = np.array(points)
    found = PolygonIndex(polygons).locate(*xy.astype(np.int32).T)
    hits = shapely.intersects(as_shapely(polygons)[:, None], shapely.points(xy.astype(np.float64))[None, :])
    expected = np.where(hits.any(axis=0), hits.argmax(axis=0), -1)
    assert found.tolist() == expected.tolist()


@given(layers(), st.integers(0, 60))
def test_a_batch_answers_as_its_parts_do(layer: tuple[Polygons, list[Point]], cut: int) -> None:
    polygons, points = layer
    x, y = np.array(points, np.int32).T
    index = PolygonIndex(polygons)
    parts = [index.locate(x[:cut], y[:cut]), index.locate(x[cut:], y[cut:])]
    assert np.concatenate(parts).tolist() == index.locate(x, y).tolist()


@given(layers())
def test_polygons_come_back_from_their_bytes(layer: tuple[Polygons, list[Point]]) -> None:
    polygons, _ = layer
    codes = [f"330683001028{i:03d}" for i in range(1, len(polygons) + 1)]
    grids = GridSet(codes, polygons)
    back = GridSet.from_canonical(grids.canonical())
    assert back.canonical() == grids.canonical()
    assert [back.polygons.rings_of(i) for i in range(len(back))] == [polygons.rings_of(i) for i in range(len(back))]


CHINA = st.tuples(st.floats(73.0, 136.0), st.floats(3.0, 54.0))
PLACES = st.one_of(CHINA, st.tuples(st.floats(-180, 180), st.floats(-90, 90)))


@given(st.lists(PLACES, min_size=1, max_size=50), st.sampled_from(["gcj02", "bd09"]))
def test_a_place_comes_back_from_a_shifted_system(places: list[tuple[float, float]], name: str) -> None:
    lon, lat = np.array(places).T
    back_lon, back_lat = crs.to_wgs84(*crs.from_wgs84(lon, lat, name), name)
    assert np.abs(back_lon - lon).max() < 1e-9
    assert np.abs(back_lat - lat).max() < 1e-9


@given(st.lists(CHINA, min_size=1, max_size=50), st.sampled_from(["gcj02", "bd09"]))
def test_a_shifted_place_comes_back_too(places: list[tuple[float, float]], name: str) -> None:
    lon, lat = np.array(places).T
    there_lon, there_lat = crs.from_wgs84(*crs.to_wgs84(lon, lat, name), name)
    assert np.abs(there_lon - lon).max() < 1e-9
    assert np.abs(there_lat - lat).max() < 1e-9


HALVES = st.integers(-1_800_000_000, 1_799_999_999).map(lambda whole: (whole + 0.5) / 1e7)


@given(st.one_of(st.floats(-180, 180), HALVES))
@example(2**-8)
@example(-3 * 2**-8)
@example(5e-324)
def test_degrees_are_rounded_as_exact_arithmetic_does(degrees: float) -> None:
    exact = (Decimal(degrees) * 10**7).quantize(Decimal(1), ROUND_HALF_EVEN)
    lon, lat = crs.quantize([degrees], [0.0])
    assert (int(lon[0]), int(lat[0])) == (int(exact), 0)
    assert round(round(degrees, 7) * 1e7) == int(exact)


@given(st.floats(), st.floats())
def test_a_pair_off_the_earth_is_no_place_as_a_pair(lon: float, lat: float) -> None:
    x, y = crs.quantize([lon], [lat])
    on_earth = abs(lon) <= 180 and abs(lat) <= 90
    assert (x[0] != NO_PLACE, y[0] != NO_PLACE) == (on_earth, on_earth)
