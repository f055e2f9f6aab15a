"""Coordinate systems and whole-number coordinates."""

import numpy as np
import pytest

from geo import NO_PLACE, crs
from geo.errors import UnknownCrs

CITIES = {
    "Beijing": (116.404, 39.915),
    "Shengzhou": (120.83, 29.60),
    "Kashgar": (75.99, 39.47),
    "Mohe": (122.5, 53.48),
    "Fuyuan": (134.3, 48.37),
    "Sanya": (109.5, 18.25),
    "Lhasa": (91.1, 29.65),
    "Ruili": (97.85, 24.01),
    "Altay": (88.1, 47.8),
    "Hunchun": (130.36, 42.86),
    "Dongxing": (107.97, 21.54),
    "Hong Kong": (114.17, 22.3),
    "Taipei": (121.5, 25.04),
}
ABROAD = {
    "London": (-0.1, 51.5),
    "New York": (-74.0, 40.7),
    "Tokyo": (139.7, 35.7),
    "Seoul": (126.98, 37.57),
    "Pyongyang": (125.75, 39.02),
    "Hanoi": (105.85, 21.03),
    "Singapore": (103.8, 1.35),
    "Delhi": (77.2, 28.6),
    "Kathmandu": (85.32, 27.71),
    "Almaty": (76.9, 43.25),
    "Ulaanbaatar": (106.9, 47.9),
    "Vladivostok": (131.9, 43.1),
    "Manila": (121.0, 14.6),
    "Sydney": (151.2, -33.9),
}


def metres_between(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    return float(np.hypot((lon2 - lon1) * 111_320 * np.cos(np.radians(lat1)), (lat2 - lat1) * 110_900))


def test_known_places_of_beijing_are_met() -> None:
    # Tiananmen: the example that both shifts are commonly published with
    assert crs.from_wgs84([116.404], [39.915], "gcj02") == pytest.approx((116.41024449, 39.91640428), abs=1e-7)
    assert crs.from_wgs84([116.404], [39.915], "bd09") == pytest.approx((116.41662724, 39.92269955), abs=1e-7)


@pytest.mark.parametrize("place", CITIES.values(), ids=CITIES.keys())
def test_gcj02_lies_hundreds_of_metres_off_in_china_and_bd09_further(place: tuple[float, float]) -> None:
    gcj = metres_between(*place, *(float(v) for v in crs.from_wgs84(*place, "gcj02")))
    bd = metres_between(*place, *(float(v) for v in crs.from_wgs84(*place, "bd09")))
    assert 100 < gcj < 900
    assert bd > 500


@pytest.mark.parametrize("place", ABROAD.values(), ids=ABROAD.keys())
@pytest.mark.parametrize("name", ["gcj02", "bd09"])
def test_nothing_is_shifted_outside_china(place: tuple[float, float], name: str) -> None:
    assert tuple(map(float, crs.from_wgs84(*place, name))) == place
    assert tuple(map(float, crs.to_wgs84(*place, name))) == place


@pytest.mark.parametrize("name", ["wgs84", "cgcs2000"])
def test_wgs84_and_cgcs2000_are_taken_as_equal(name: str) -> None:
    lon, lat = crs.to_wgs84([120.83], [29.6], name)
    assert (lon[0], lat[0]) == (120.83, 29.6)


def test_a_point_is_converted_alike_alone_and_in_company() -> None:
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(70, 140, 500), rng.uniform(10, 56, 500)
    together = crs.to_wgs84(lon, lat, "bd09")
    alone = [crs.to_wgs84(lon[i : i + 1], lat[i : i + 1], "bd09") for i in range(500)]
    assert np.array_equal(together[0], [a[0][0] for a in alone])
    assert np.array_equal(together[1], [a[1][0] for a in alone])


def test_the_shape_is_kept_and_nan_stays_nan() -> None:
    lon, lat = crs.to_wgs84([[120.0, np.nan]], [[30.0, 30.0]], "gcj02")
    assert lon.shape == lat.shape == (1, 2)
    assert np.isnan(lon[0, 1])


@pytest.mark.parametrize("name", ["WGS84", "", "epsg:4326", "gcj-02"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownCrs, match="crs must be one of wgs84, cgcs2000, gcj02, bd09"):
        crs.to_wgs84([0.0], [0.0], name)


@pytest.mark.parametrize(
    ("degrees", "whole"),
    [
        pytest.param(120.12345675, 1201234568, id="the double lies above the half"),
        pytest.param(2**-8, 39062, id="a true half goes to the even number below"),
        pytest.param(3 * 2**-8, 117188, id="a true half goes to the even number above"),
        pytest.param(-(2**-8), -39062, id="and so below zero"),
        pytest.param(180.0, 1_800_000_000, id="the antimeridian"),
        pytest.param(-0.0, 0, id="minus zero"),
        pytest.param(4e-8, 0, id="below half a unit"),
    ],
)
def test_degrees_are_rounded_half_to_even_from_their_exact_value(degrees: float, whole: int) -> None:
    assert crs.quantize([degrees], [0.0])[0].tolist() == [whole]


@pytest.mark.parametrize(
    "place", [(np.nan, 0.0), (0.0, np.inf), (180.0000001, 0.0), (0.0, -90.0000001), (1e300, 0.0)], ids=str
)
def test_what_is_not_on_earth_is_no_place(place: tuple[float, float]) -> None:
    lon, lat = crs.quantize([place[0]], [place[1]])
    assert (lon[0], lat[0]) == (NO_PLACE, NO_PLACE)
    assert np.isnan(crs.degrees(lon)[0])
