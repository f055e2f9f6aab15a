"""Sensors of the kinds that came later; those of sensors.py stay as they are, and some of them get a second kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from geo.city import City
from geo.synthetic.rows import Row, place_row, rows_at, spread

_BATTERY: Final = ("HP-", "DL-", "GV-", "GU-")

# zone set, kind(s), id prefix, department, how many: a camera that looks at each of the first zones
_AT_ZONES: Final = (
    ("fire_lane", ("video.lane_blocked",), "VF", "fire", 40),
    ("no_dumping", ("video.dumping",), "VD", "urban", 20),
    ("no_vending", ("video.vendor",), "VN", "urban", 18),
    ("sidewalks", ("video.parking",), "VK", "urban", 40),
)


def further_rows(city: City, first: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Rows beside the `first` ones; `share` of those that the shipped city has, some of each sort at least."""
    rng = np.random.default_rng([seed, 0xADD])

    def some(count: int) -> int:
        return max(1, round(count * share))

    out = _of_gas_and_pumps(city, share)
    out += [_also(row, "fire.cable_temperature") for row in _of(first, "FR-", "fire.residual_current")[: some(250)]]
    out += [_also(row, "waste.collected") for row in _of(first, "WW-", "waste.weight")]
    out += spread(rng, city, ("fire.charge_temperature",), "FC", "fire", "电动自行车充电棚", some(120), True)
    for zone, kinds, prefix, department, count in _AT_ZONES:
        out += _at_zones(city, zone, kinds, prefix, department, some(count))
    out += _at_corridors(city, some(20))
    out += spread(rng, city, ("vehicle.position",), "MT", "urban", "渣土车", some(40), False)
    out += spread(rng, city, ("vehicle.position",), "PV", "urban", "城管巡查车", some(12), False)
    powered = [row for row in [*first, *out] if row[0].startswith(_BATTERY)]
    return out + [_also(row, "device.battery") for row in powered]


def _of(rows: Sequence[Row], prefix: str, kind: str) -> list[Row]:
    return [row for row in rows if row[0].startswith(prefix) and row[1] == kind]


def _also(row: Row, kind: str) -> Row:
    """The same sensor, observing another kind."""
    return (row[0], kind, *row[2:])


def _of_gas_and_pumps(city: City, share: float) -> list[Row]:
    out: list[Row] = []
    for underpass in city.underpasses:
        out += rows_at(underpass, [(pump, "drain.pump") for pump in underpass.pumps], "drainage", "")
    wells = [site for site in city.gas_sites if site.use == "valve_well" and len(site.sensors) > 1]
    for site in wells[: max(1, round(len(wells) * share))]:
        out += rows_at(site, [(site.sensors[1], "gas.methane_well")], "gas", f"GW-{site.regulator}")
    for use, kind in (("underground", "gas.methane_underground"), ("outdoor", "gas.methane_outdoor")):
        spaces = [site for site in city.gas_spaces if site.use == use]
        for site in spaces[: max(1, round(len(spaces) * share))]:
            out += rows_at(site, [(site.sensors[0], kind)], "gas", f"GW-{site.regulator}")
    return out


def _at_zones(city: City, zone: str, kinds: Sequence[str], prefix: str, department: str, count: int) -> list[Row]:
    """Cameras on a place inside each of the first zones of a set; of many zones, of some all over the set."""
    from geo.load import as_shapely

    zones = city.zones[zone]
    chosen = np.linspace(0, len(zones.polygons) - 1, min(count, len(zones.polygons))).astype(int).tolist()
    shapes = as_shapely(zones.polygons)
    out: list[Row] = []
    for number, index in enumerate(chosen, start=1):
        place = shapes[index].representative_point()
        name = f"{zones.properties[index]['name']}监控"
        out += [
            place_row(f"{prefix}-{number:05d}", kind, round(place.x), round(place.y), department, name)
            for kind in kinds
        ]
    return out


def _at_corridors(city: City, count: int) -> list[Row]:
    """Cameras over permitted corridors that see what trucks lose."""
    edges = [edge for edge in city.roads.edges if edge.muck and edge.kind == "main"]
    chosen = np.linspace(0, len(edges) - 1, min(count, len(edges))).astype(int).tolist()
    out: list[Row] = []
    for number, index in enumerate(chosen, start=1):
        edge = edges[index]
        lon, lat = city.roads.along(edge.path, edge.length_m / 2)
        name = f"{edge.name}{number}号卡口监控"
        out.append(
            place_row(
                f"VM-{number:05d}", "video.spill", round(float(lon) * 1e7), round(float(lat) * 1e7), "urban", name
            )
        )
    return out
