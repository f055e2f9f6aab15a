"""What the city is: its sensors, kinds, rules and words, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rules.registry import Row
from tests.town import BIN_EAST, LAT, LON, WEST, Town, open_town

TRUCK = Row("MT-01", "vehicle.position", department="urban", site="渣土车1")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town"), more=[TRUCK]) as running:
        yield running


def test_what_a_sensor_says_beside_its_value_is_that_of_its_last_reading(town: Town) -> None:
    address, of = f"/api/v1/sensors/{TRUCK.sensor}/attrs", {"kind": "vehicle.position"}
    place = {"lon": (LON + 1000) / 1e7, "lat": (LAT + 1000) / 1e7}
    for loaded in (False, True):
        town.read(TRUCK.sensor, "vehicle.position", 30.0, attrs={"plate": "浙D00001", "loaded": loaded}, **place)
    with town.client("viewer") as client:
        found = client.get(address, params=of).json()
        silent = client.get(f"/api/v1/sensors/{BIN_EAST}/attrs", params={"kind": "waste.fill"}).json()
        nobody = client.get("/api/v1/sensors/nobody/attrs", params=of)
    with town.client("viewer", area=WEST) as client:
        elsewhere = client.get(address, params=of)
    assert found == {"attrs": {"plate": "浙D00001", "loaded": True}}
    assert silent == {"attrs": None}
    assert (nobody.status_code, elsewhere.status_code) == (404, 404)


def test_what_the_city_s_data_is_called_is_told_in_both_languages(town: Town) -> None:
    with town.client("viewer") as client:
        rules = client.get("/api/v1/rules").json()["rules"]
        kinds = client.get("/api/v1/kinds").json()["kinds"]
        catalogue = client.get("/api/v1/categories").json()
    found = [rules, kinds, catalogue["categories"], catalogue["departments"]]
    titles = [
        {one.get("id") or one.get("name") or one["code"]: (one["title"], one["title_en"]) for one in of} for of in found
    ]
    assert titles[0]["gas.methane_leak"] == ("燃气浓度超限", "Gas concentration over the limit")
    assert titles[0]["flood.drain_watch"] == ("排水管满溢", None)
    assert titles[1]["drain.level"] == ("管渠充满度", "Drain filling")
    assert titles[2]["0405"] == ("排水管网满溢", "Surcharged drain")
    assert titles[3]["drainage"] == ("排水管网管理处", "Drainage network office")
