"""Compiled kernels of the GCJ-02 and BD-09 shifts, point by point, so that a result never depends on its neighbours."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from geo.compiled import compiled

# Rectangles (west, south, east, north) in degrees that together cover China whole, and of its neighbours little more
# than rectangles must. Drawn by hand from well-known border points; the shift is full inside and fades out over FADE
# degrees, which keeps the function continuous and so invertible everywhere.
_CHINA = np.array(
    [
        # the two that hold most places come first
        (99.0, 23.5, 117.5, 42.6),
        (117.0, 23.0, 122.9, 42.6),
        # west and Tibet
        (73.4, 35.4, 78.6, 41.2),
        (78.4, 34.0, 80.4, 42.2),
        (79.8, 35.0, 96.5, 45.5),
        (82.2, 45.3, 91.2, 49.3),
        (78.2, 30.1, 81.5, 36.0),
        (81.0, 29.2, 84.0, 36.0),
        (83.8, 27.9, 92.2, 36.0),
        (88.7, 27.2, 89.1, 28.0),
        (91.5, 26.8, 97.5, 36.0),
        (96.0, 28.0, 99.5, 42.8),
        # south-west and south
        (97.5, 23.8, 99.2, 25.5),
        (98.1, 25.0, 99.2, 28.5),
        (98.6, 21.1, 102.0, 24.0),
        (101.7, 22.4, 106.8, 24.0),
        (106.5, 21.4, 117.5, 24.0),
        (108.4, 18.0, 111.4, 21.6),
        (118.0, 21.8, 124.0, 26.2),
        (116.5, 20.5, 117.0, 21.0),
        (111.0, 15.5, 115.0, 17.5),
        (112.0, 7.0, 116.5, 12.0),
        # north and north-east
        (96.0, 41.0, 111.0, 42.8),
        (110.5, 42.0, 120.0, 45.3),
        (115.4, 44.5, 127.0, 50.1),
        (119.2, 49.5, 126.6, 53.6),
        (117.0, 38.6, 124.5, 47.0),
        (124.0, 40.2, 126.4, 47.0),
        (126.0, 41.4, 129.2, 47.0),
        (126.0, 42.4, 130.8, 50.4),
        (129.0, 42.4, 131.4, 45.6),
        (130.5, 44.8, 133.6, 48.0),
        (130.5, 46.0, 135.1, 48.5),
    ]
)
_FADE = 0.15
_AXIS_M = 6378245.0  # Krasovsky 1940
_ECCENTRICITY2 = 0.00669342162296594323
_TWIST = math.pi * 3000.0 / 180.0
_STEPS = 64
_CLOSE = 1e-11


@compiled("float64(float64, float64)")
def _weight(lon: float, lat: float) -> float:
    """1 in China, 0 outside, between them in the last 15 km or so outside the rectangles."""
    best = 0.0
    for i in range(_CHINA.shape[0]):
        west, south, east, north = _CHINA[i, 0], _CHINA[i, 1], _CHINA[i, 2], _CHINA[i, 3]
        away = max(max(west - lon, lon - east), max(south - lat, lat - north))
        if away <= 0.0:
            return 1.0
        best = max(best, 1.0 - away / _FADE)
    return best


@compiled("UniTuple(float64, 2)(float64, float64)")
def _gcj(lon: float, lat: float) -> tuple[float, float]:
    """The GCJ-02 place of a WGS-84 place in China (the published formula of the state shift)."""
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    wave = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    sine = math.sin(lat / 180.0 * math.pi)
    magic = 1.0 - _ECCENTRICITY2 * sine * sine
    meridian = _AXIS_M * (1.0 - _ECCENTRICITY2) / (magic * math.sqrt(magic))
    parallel = _AXIS_M / math.sqrt(magic) * math.cos(lat / 180.0 * math.pi)
    return lon + east * 180.0 / (parallel * math.pi), lat + north * 180.0 / (meridian * math.pi)


@compiled("UniTuple(float64, 2)(float64, float64)")
def _bd(lon: float, lat: float) -> tuple[float, float]:
    """The BD-09 place of a GCJ-02 place (Baidu's published twist)."""
    radius = math.sqrt(lon * lon + lat * lat) + 0.00002 * math.sin(lat * _TWIST)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _TWIST)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


@compiled("UniTuple(float64, 2)(float64, float64, boolean)")
def _offset(lon: float, lat: float, baidu: bool) -> tuple[float, float]:
    """How far the place moves, in degrees; (0, 0) outside China and for NaN."""
    weight = _weight(lon, lat)
    if not weight > 0.0:
        return 0.0, 0.0
    x, y = _gcj(lon, lat)
    if baidu:
        x, y = _bd(x, y)
    return weight * (x - lon), weight * (y - lat)


@compiled("UniTuple(float64[::1], 2)(float64[::1], float64[::1], boolean)")
def forward(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64], baidu: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """WGS-84 degrees to GCJ-02, or to BD-09 if `baidu`."""
    out_lon, out_lat = np.empty_like(lon), np.empty_like(lat)
    for i in range(lon.shape[0]):
        dx, dy = _offset(lon[i], lat[i], baidu)
        out_lon[i], out_lat[i] = lon[i] + dx, lat[i] + dy
    return out_lon, out_lat


@compiled("UniTuple(float64[::1], 2)(float64[::1], float64[::1], boolean)")
def inverse(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64], baidu: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """GCJ-02 (BD-09 if `baidu`) degrees to WGS-84: iterate p = q - offset(p) until p moves less than 1e-11 degrees."""
    out_lon, out_lat = np.empty_like(lon), np.empty_like(lat)
    for i in range(lon.shape[0]):
        x, y = lon[i], lat[i]
        for _ in range(_STEPS):
            dx, dy = _offset(x, y, baidu)
            next_x, next_y = lon[i] - dx, lat[i] - dy
            moved = max(abs(next_x - x), abs(next_y - y))
            x, y = next_x, next_y
            if not moved > _CLOSE:
                break
        out_lon[i], out_lat[i] = x, y
    return out_lon, out_lat
