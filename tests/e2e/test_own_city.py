"""A district of a user's own: imported, checked, judged by, and played by the demo."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import shapely
from click.testing import Result
from typer.testing import CliRunner

from engine.commands.geo import app
from geo.city import City
from geo.crs import from_wgs84
from tests.unit.geo.files import COMMUNITIES, SIDE, SOUTH, WEST, attributes, polygons, rings, shifted, write

TONGGUAN = (sys.executable, "-m", "engine.cli")
RINGS = rings(24, 16)
MINUTE_MS = 60_000
NOON_MS = 1_780_286_400_000


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TONGGUAN, *map(str, arguments)], capture_output=True, text=True, check=False)


def geo(*arguments: object) -> Result:
    """The same of `tongguan geo` in this process, which is quicker."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def shapefile(folder: Path) -> Path:
    """The district as a mapping firm hands it over: GCJ-02, its text in GBK, the .cpg says so."""
    moved = polygons([shifted(ring, "gcj02") for ring in RINGS])
    return write(folder / "单元网格.shp", moved, attributes(len(RINGS)), encoding="gbk")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "district"
    file = shapefile(folder.parent)
    done = ran("geo", "import", file, "--crs", "gcj02", "--city", folder, "--name", "诸暨示范区")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_shapefile_in_gcj02_and_a_geopackage_in_cgcs2000_give_the_same_city(city: Path, tmp_path: Path) -> None:
    gpkg = write(tmp_path / "单元网格.gpkg", polygons(RINGS), attributes(len(RINGS)), "EPSG:4490")
    assert geo("import", gpkg, "--city", tmp_path / "other", "--name", "诸暨示范区").exit_code == 0
    one, other = City(city), City(tmp_path / "other")
    assert one.grids.codes == other.grids.codes
    assert one.grids.properties == other.grids.properties
    assert np.abs(one.grids.polygons.x - other.grids.polygons.x).max() <= 1
    assert np.abs(one.grids.polygons.y - other.grids.polygons.y).max() <= 1
    assert other.grids.polygons.bounds().tolist() == expected_bounds()
    for folder in (city, tmp_path / "other"):
        checked = geo("check", folder)
        assert (checked.exit_code, checked.stdout) == (0, "384 unit grids in 2 communities: 0 overlaps, 0 gaps\n")


def expected_bounds() -> list[list[int]]:
    whole = [np.rint(ring * 1e7).astype(int) for ring in RINGS]
    return [[*ring.min(axis=0).tolist(), *ring.max(axis=0).tolist()] for ring in whole]


def test_the_file_is_refused_until_it_is_said_what_it_is_in(tmp_path: Path) -> None:
    file = shapefile(tmp_path)
    done = geo("import", file, "--city", tmp_path / "city")
    assert (done.exit_code, f"tongguan geo import {file} --crs gcj02" in done.stderr) == (1, True)
    file.with_suffix(".cpg").unlink()
    assert "--encoding gbk" in geo("import", file, "--crs", "gcj02").stderr


RULE = """
id: city.standing
version: 1
title: 禁倒区停留
source: "a rule of the tests"
reads: vehicle.position
measure: inside("no_dumping")
levels:
  yellow: {set: ">= 1", clear: "< 1", for: 10m}
"""


def reading(sensor: str, minute: int, lon: float, lat: float, crs: str = "wgs84") -> dict[str, Any]:
    if crs != "wgs84":
        lon, lat = (float(v) for v in from_wgs84(lon, lat, crs))
    t = NOON_MS + minute * MINUTE_MS
    return {"sensor": sensor, "kind": "vehicle.position", "t": t, "v": 5, "lon": lon, "lat": lat, "crs": crs}


def test_standing_in_an_imported_zone_is_judged_by_how_long(city: Path, tmp_path: Path) -> None:
    west, south = WEST + 6 * SIDE, SOUTH - 8 * SIDE
    zone = np.array(shapely.box(west, south, west + SIDE, south + SIDE).exterior.coords)
    file = write(tmp_path / "禁倒区.shp", polygons([shifted(zone, "gcj02")]), {"名称": ["东江边"]}, encoding="gbk")
    city = Path(shutil.copytree(city, tmp_path / "city"))
    assert geo("import", file, "--crs", "gcj02", "--city", city, "--name", "no_dumping").exit_code == 0
    (tmp_path / "rules" / "city").mkdir(parents=True)
    (tmp_path / "rules" / "city" / "standing.yaml").write_text(RULE)
    inside, outside = (west + SIDE / 2, south + SIDE / 2), (west + 3 * SIDE, south + SIDE / 2)
    shifted_away = shifted(np.array([inside]), "gcj02")[0].tolist()
    readings = []
    for minute in range(40):
        stays = inside if 5 <= minute < 25 else outside
        passes = inside if 5 <= minute < 12 else outside
        readings += [reading("STAYS", minute, *stays, "gcj02"), reading("PASSES", minute, *passes)]
        readings.append(reading("BESIDE", minute, *shifted_away))
    (tmp_path / "in.ndjson").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in readings))
    done = ran("detect", "--rules", tmp_path / "rules", "--city", city, tmp_path / "in.ndjson")
    assert done.returncode == 0, done.stderr
    changes = [orjson.loads(line) for line in done.stdout.splitlines()]
    told = [(one["sensor"], one["change"], (one["t"] - NOON_MS) // MINUTE_MS, one["grid"][:12]) for one in changes]
    assert told == [("STAYS", "raised", 15, COMMUNITIES[0]), ("STAYS", "cleared", 25, COMMUNITIES[0])]


@pytest.mark.timeout(600)
def test_the_demo_plays_it(city: Path, tmp_path: Path) -> None:
    command = [*TONGGUAN, "demo", "--city", city, "--data", tmp_path / "data", "--port", "0", "--speed", "3600"]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            said = []
            for line in demo.stdout:
                said.append(line)
                if re.search("下穿.*上报", line):
                    break
            else:
                raise AssertionError(f"the demo ended by itself after {said[-3:]}")
            link = re.search(r"http://\S+", said[0])
            assert link is not None
            areas = communities(link[0])
        finally:
            demo.send_signal(signal.SIGKILL)
    assert areas == {COMMUNITIES[0]: "江新社区", COMMUNITIES[1]: "友谊社区"}
    assert "暨阳街道" in said[-1]
    assert not (city / "sensors.csv").exists()


def communities(link: str) -> dict[str, str]:
    """What the console of the running demo shows: the communities of its city."""
    base = link.split("/login")[0].rstrip("/")
    with httpx.Client(follow_redirects=True, timeout=60.0) as client:
        client.get(link).raise_for_status()
        shown = client.get(f"{base}/api/v1/grids.geojson", params={"level": "community"})
        return {one["properties"]["code"]: one["properties"]["name"] for one in shown.json()["features"]}
