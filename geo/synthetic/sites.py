"""Where things stand: underpasses, low points, drains, rain gauges, gas sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from geo import crs
from geo.city import Drain, GasSite, LowPoint, MuckSite, RainGauge, Underpass
from geo.grids import GridSet
from geo.synthetic.communities import SEATS
from geo.synthetic.ground import River
from geo.terrain import Terrain

Floats = npt.NDArray[np.float64]

ROADS: Final = (
    *("剡溪路", "艇湖路", "鹿鸣路", "官河路", "越音路", "江湾路", "领带路", "书圣路", "唐诗路", "金湾路", "双塔路"),
    *("兴剡路", "仙岩路", "东圃路", "西桥路", "南田路", "北港路", "城隍路", "丹桂路", "明心路", "安平路", "惠民路"),
    *("五合路", "罗柱路", "白云路", "剡兴路"),
)
_UNDERPASSES: Final = (
    # metres from the middle, name, crossing
    (-2350.0, 2150.0, "官河路", "铁路"),
    (-1150.0, 1050.0, "剡溪路", "铁路"),
    (350.0, -250.0, "越音路", "铁路"),
    (1650.0, -1450.0, "领带路", "铁路"),
    (2900.0, -2350.0, "双塔路", "铁路"),
    (-900.0, -1900.0, "鹿鸣路", "高速"),
    (2350.0, 1150.0, "艇湖路", "高速"),
    (-3400.0, -2500.0, "书圣路", "高速"),
)
_MANNING: Final = 0.013


@dataclass(slots=True)
class Sites:
    """What stands in the city."""

    underpasses: list[Underpass] = field(default_factory=list)
    low_points: list[LowPoint] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    rain_gauges: list[RainGauge] = field(default_factory=list)
    gas_sites: list[GasSite] = field(default_factory=list)
    gas_spaces: list[GasSite] = field(default_factory=list)
    muck_sites: list[MuckSite] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ground:
    """What sites are placed by. `built(x, y)` says how built-up a place is, 0..1."""

    terrain: Terrain
    grids: GridSet
    rivers: Sequence[River]
    built: Callable[[Floats, Floats], Floats]

    def place(self, x: float, y: float) -> tuple[float, float, str]:
        """(lon, lat) rounded to 7 decimals, and the code of the unit grid there ("" for none)."""
        lon, lat = crs.quantize(*(np.atleast_1d(v) for v in self.terrain.frame.to_degrees(x, y)))
        return float(lon[0] / 1e7), float(lat[0] / 1e7), self.grids.code_of(int(self.grids.locate(lon, lat)[0])) or ""

    def height(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        """Elevation at metres (x, y)."""
        return self.terrain.elevation(*self.terrain.frame.to_degrees(x, y))


def build(rng: np.random.Generator, ground: Ground) -> Sites:
    """Place everything."""
    sites = Sites()
    sites.underpasses = [_underpass(rng, ground, i) for i in range(len(_UNDERPASSES))]
    sites.rain_gauges = _rain_gauges(rng, ground)
    sites.low_points = _low_points(rng, ground, 120)
    sites.drains = _drains(rng, ground, 240)
    sites.gas_sites = _gas_sites(rng, ground, 24, 900)
    return sites


def furnish(seed: int, ground: Ground, sites: Sites, muck_sites: list[MuckSite]) -> None:
    """Add what draws from a generator of its own: pumps, wells' own gauges, underground spaces, the open air."""
    rng = np.random.default_rng([seed, 0xF0C])
    pumps = [tuple(f"PU-{u.id}-{i}" for i in (1, 2)) for u in sites.underpasses]
    sites.underpasses = [replace(u, pumps=p) for u, p in zip(sites.underpasses, pumps, strict=True)]
    wells = [site.id for site in sites.gas_sites if site.use == "valve_well"][:120]
    sites.gas_sites = [
        replace(site, sensors=(*site.sensors, f"GV-{site.id}")) if site.id in wells else site
        for site in sites.gas_sites
    ]
    sites.gas_spaces = _gas_spaces(rng, ground, sites.gas_sites)
    sites.muck_sites = muck_sites


_SPACES: Final = ("污水井", "电力井", "通信井", "雨水井", "地下管廊口")


def _gas_spaces(rng: np.random.Generator, ground: Ground, network: Sequence[GasSite]) -> list[GasSite]:
    """Underground spaces within 30 m of the network's wells and rooms, and the air at regulators and along pipes."""
    heads = [site for site in network if site.use == "regulator"]
    rooms = [site for site in network if site.use != "regulator"]
    chosen = [rooms[i] for i in rng.permutation(len(rooms))[:136].tolist()]
    out: list[GasSite] = []
    for i, host in enumerate([*chosen[:100], *heads, *chosen[100:]]):
        outdoor = i >= 100
        x, y = (float(v) for v in ground.terrain.frame.to_metres(host.lon, host.lat))
        turn, away = rng.uniform(0.0, 2 * np.pi), rng.uniform(8.0, 30.0)
        lon, lat, grid = ground.place(x + away * np.cos(turn), y + away * np.sin(turn))
        number = f"GO{i - 99:03d}" if outdoor else f"GU{i + 1:03d}"
        out.append(
            GasSite(
                id=number,
                name=f"{host.name}{'室外' if outdoor else f'旁{_SPACES[int(rng.integers(len(_SPACES)))]}'}",
                lon=lon,
                lat=lat,
                grid=grid,
                use="outdoor" if outdoor else "underground",
                volume_m3=0.0 if outdoor else _round(rng.uniform(3.0, 40.0)),
                air_changes_h=0.0 if outdoor else _round(rng.uniform(0.1, 0.8), 2),
                regulator=host.regulator,
                pressure_kpa=host.pressure_kpa,
                sensors=(f"GO-{number}" if outdoor else f"GU-{number}",),
            )
        )
    return out


def _underpass(rng: np.random.Generator, ground: Ground, i: int) -> Underpass:
    x, y, road, over = _UNDERPASSES[i]
    x, y = _lowest_near(ground, x, y, 180.0)
    lon, lat, grid = ground.place(x, y)
    number = f"UP{i + 1:02d}"
    return Underpass(
        id=number,
        name=f"{road}下穿{over}立交",
        lon=lon,
        lat=lat,
        grid=grid,
        rim_m=_round(ground.height(x, y)),
        sag_m=_round(rng.uniform(3.4, 5.4)),
        length_m=_round(rng.uniform(160, 320), 0),
        width_m=_round(rng.choice([14.0, 18.0, 24.0]), 0),
        catchment_m2=_round(rng.uniform(28_000, 90_000), -2),
        runoff=_round(rng.uniform(0.78, 0.92), 2),
        pump_m3_s=_round(rng.uniform(0.12, 0.4), 2),
        sensors=(f"WL-{number}-1", f"WL-{number}-2"),
    )


def _lowest_near(ground: Ground, x: float, y: float, reach_m: float) -> tuple[float, float]:
    step = np.linspace(-reach_m, reach_m, 7)
    xs, ys = (a.ravel() for a in np.meshgrid(x + step, y + step))
    best = int(ground.height(xs, ys).argmin())
    return float(xs[best]), float(ys[best])


def _rain_gauges(rng: np.random.Generator, ground: Ground) -> list[RainGauge]:
    places = [(0.0, 0.0), *((x, y) for x, y, _ in SEATS.values())]
    while len(places) < 36:
        tries = rng.uniform(-15_500, 15_500, (12, 2))
        away = np.min([np.hypot(*(tries - np.array(p)).T) for p in places], axis=0)
        places.append((float(tries[away.argmax()][0]), float(tries[away.argmax()][1])))
    out: list[RainGauge] = []
    for x, y in places:
        lon, lat, grid = ground.place(x, y)
        if grid:
            number = len(out) + 1
            name = f"{ground.grids.properties[ground.grids.row_of(grid)]['community_name'].removesuffix('委会')}雨量站"
            out.append(RainGauge(f"RG{number:02d}", name, lon, lat, f"RN-RG{number:02d}"))
    return out


def _low_points(rng: np.random.Generator, ground: Ground, count: int) -> list[LowPoint]:
    out: list[LowPoint] = []
    crossings = [(a, b) for i, a in enumerate(ROADS) for b in ROADS[i + 1 :]]
    names = rng.permutation(len(crossings))
    for x, y in _built_up(rng, ground, count, apart_m=260.0, down_m=150.0):
        lon, lat, grid = ground.place(x, y)
        number = f"LP{len(out) + 1:03d}"
        road, other = crossings[int(names[len(out)])]
        catchment = rng.uniform(9_000, 42_000)
        out.append(
            LowPoint(
                id=number,
                name=f"{road}{other}路口",
                lon=lon,
                lat=lat,
                grid=grid,
                basin_m2=_round(rng.uniform(500, 2600), -1),
                depth_m=_round(rng.uniform(0.25, 0.75), 2),
                catchment_m2=_round(catchment, -2),
                runoff=_round(rng.uniform(0.65, 0.9), 2),
                drain_m3_s=_round(catchment * rng.uniform(35, 60) / 3.6e6, 3),
                sensor=f"WL-{number}",
            )
        )
    return out


def _drains(rng: np.random.Generator, ground: Ground, count: int) -> list[Drain]:
    """Stretches of pipe; each runs to the nearest one that lies lower, within 900 m, else into the river."""
    places = _built_up(rng, ground, count, apart_m=170.0, down_m=60.0)
    height = ground.height(*np.array(places).T)
    order = np.argsort(-height, kind="stable").tolist()
    spot = np.array(places)[order]
    height = height[order]
    downstream: list[int | None] = []
    for i in range(count):
        away = np.hypot(*(spot - spot[i]).T)
        lower = np.flatnonzero((height < height[i] - 0.2) & (away < 900.0))
        downstream.append(int(lower[away[lower].argmin()]) if lower.size else None)
    own = rng.uniform(12_000, 45_000, count)
    total = own.copy()
    for i in range(count):  # from the highest down, so what comes from above is complete
        below = downstream[i]
        if below is not None:
            total[below] += total[i]
    return [_drain(rng, ground, i, spot, height, downstream[i], float(own[i]), float(total[i])) for i in range(count)]


def _drain(
    rng: np.random.Generator,
    ground: Ground,
    i: int,
    spot: Floats,
    height: Floats,
    below: int | None,
    own_m2: float,
    total_m2: float,
) -> Drain:
    lon, lat, grid = ground.place(*spot[i])
    slope = 0.003
    if below is not None:
        run = float(np.hypot(*(spot[below] - spot[i])))
        slope = min(0.012, max(0.0015, float(height[i] - height[below]) / run))
    needed = total_m2 * 0.7 * rng.uniform(22, 40) / 3.6e6  # pipes were laid for 22 to 40 mm in an hour
    diameter = float(np.ceil(10 * (needed * _MANNING / (0.3117 * slope**0.5)) ** 0.375) / 10)
    diameter = min(2.4, max(0.4, diameter))
    return Drain(
        id=f"DR{i + 1:03d}",
        name=f"{rng.choice(ROADS)}雨水管{i + 1:03d}号井",
        lon=lon,
        lat=lat,
        grid=grid,
        diameter_m=_round(diameter),
        slope=_round(slope, 4),
        capacity_m3_s=_round(0.3117 / _MANNING * diameter ** (8 / 3) * slope**0.5, 3),
        catchment_m2=_round(own_m2, -2),
        runoff=0.7,
        downstream=None if below is None else f"DR{below + 1:03d}",
        sensor=f"DL-DR{i + 1:03d}",
    )


_GAS_USES: Final = (
    # use, share, volume m3, air changes in an hour, pressure kPa
    ("valve_well", 0.3, (2.5, 8.0), (0.3, 1.5), 300.0),
    ("kitchen", 0.5, (18.0, 90.0), (3.0, 10.0), 2.5),
    ("basement", 0.2, (60.0, 600.0), (0.5, 2.0), 2.5),
)
_GAS_NAMES: Final = {"valve_well": "燃气阀井", "kitchen": "餐饮后厨", "basement": "地下燃气间"}


def _gas_sites(rng: np.random.Generator, ground: Ground, regulators: int, rooms: int) -> list[GasSite]:
    out: list[GasSite] = []
    heads = _built_up(rng, ground, regulators, apart_m=700.0, down_m=0.0)
    for i, (x, y) in enumerate(heads, start=1):
        lon, lat, grid = ground.place(x, y)
        number = f"GR{i:03d}"
        sensors = (f"GP-{number}", f"GM-{number}")
        name = f"{rng.choice(ROADS)}{i}号调压站"
        out.append(GasSite(number, name, lon, lat, grid, "regulator", 40.0, 6.0, number, 300.0, sensors))
    shares = np.array([use[1] for use in _GAS_USES])
    for i, (x, y) in enumerate(_built_up(rng, ground, rooms, apart_m=25.0, down_m=0.0), start=1):
        lon, lat, grid = ground.place(x, y)
        use, _, volume, air, pressure = _GAS_USES[int(rng.choice(len(_GAS_USES), p=shares))]
        head = int(np.hypot(*(np.array(heads) - (x, y)).T).argmin())
        number = f"GS{i:04d}"
        out.append(
            GasSite(
                id=number,
                name=f"{ROADS[i % len(ROADS)]}{i // len(ROADS) * 2 + int(rng.integers(1, 3))}号{_GAS_NAMES[use]}",
                lon=lon,
                lat=lat,
                grid=grid,
                use=use,
                volume_m3=_round(rng.uniform(*volume)),
                air_changes_h=_round(rng.uniform(*air), 2),
                regulator=out[head].id,
                pressure_kpa=pressure,
                sensors=(f"GM-{number}",),
            )
        )
    return out


def _built_up(
    rng: np.random.Generator, ground: Ground, count: int, apart_m: float, down_m: float
) -> list[tuple[float, float]]:
    """Built-up places away from rivers, at least `apart_m` apart, each moved to the lowest spot within `down_m`."""
    taken = np.empty((0, 2))
    bed = np.concatenate([river.line for river in ground.rivers])
    while len(taken) < count:
        tries = rng.normal(0.0, 6500.0, (200, 2))
        likely = tries[rng.random(200) < ground.built(tries[:, 0], tries[:, 1])]
        for x, y in likely.tolist():
            if down_m:
                x, y = _lowest_near(ground, x, y, down_m)
            crowded = len(taken) > 0 and np.hypot(*(taken - (x, y)).T).min() < apart_m
            if crowded or np.hypot(*(bed - (x, y)).T).min() < 160.0 or not ground.place(x, y)[2]:
                continue
            taken = np.concatenate([taken, [[x, y]]])
    return [(float(x), float(y)) for x, y in taken[:count]]


def _round(value: float | np.floating | Floats, digits: int = 1) -> float:
    return float(round(float(value), digits))
