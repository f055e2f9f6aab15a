"""Categories and departments: a city's file adds to what ships, and is refused with every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.catalogue import Category, load_catalogue
from rules.errors import CatalogueRefused
from rules.load import LIBRARY, load_rules


def test_what_ships_knows_every_category_and_department_of_the_library() -> None:
    shipped = load_catalogue()
    assert shipped.unknown(load_rules(LIBRARY).rules) == []
    assert shipped.category("0402") == Category("0402", "火灾", ("emergency",))
    assert shipped.departments["gas"] == "燃气管理服务中心"


def test_a_city_adds_categories_and_departments_and_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "categories.yaml"
    path.write_text(
        "departments: {lighting: 路灯管理所, gas: 天然气公司}\n"
        'categories: {"0111": {title: 路灯不亮, further: [lighting, power]}, "0401": {title: 漏气}}\n'
    )
    found = load_catalogue(path)
    assert found.category("0111") == Category("0111", "路灯不亮", ("lighting", "power"))
    assert (found.category("0401").title, found.departments["gas"]) == ("漏气", "天然气公司")
    assert len(found.categories) == len(load_catalogue().categories) + 1


def test_what_a_city_names_anew_has_the_english_title_that_it_gives_or_none(tmp_path: Path) -> None:
    path = tmp_path / "categories.yaml"
    path.write_text(
        'departments: {lighting: 路灯管理所, gas: 天然气公司}\ncategories: {"0111": {title: 路灯不亮}}\n'
        'english: {departments: {lighting: Lamps}, categories: {"0111": Dark lamp}, rules: {lamp.dark: Lamp dark}}\n'
    )
    found = load_catalogue(path)
    asked = [("departments", "lighting"), ("departments", "gas"), ("departments", "fire"), ("categories", "0111")]
    assert [found.title_en(*one) for one in asked] == ["Lamps", None, "Fire and rescue brigade", "Dark lamp"]
    assert found.title_en("rules", "lamp.dark") == "Lamp dark"


def test_faults_of_english_titles_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "categories.yaml"
    path.write_text("english:\n  rules: {lamp.dark: ''}\n  lamps: {}\n")
    with pytest.raises(CatalogueRefused) as refused:
        load_catalogue(path)
    assert [str(fault).removeprefix(f"{path}:").split(";")[0] for fault in refused.value.faults] == [
        "2:22: english.rules.lamp.dark: must be a text that is not empty",
        "3:3: english.lamps: unknown key",
    ]


def test_a_category_that_nobody_declared_is_titled_by_its_code() -> None:
    assert load_catalogue().category("9999") == Category("9999", "9999")


def test_a_faulty_file_is_refused_with_every_fault_and_its_place(tmp_path: Path) -> None:
    path = tmp_path / "categories.yaml"
    path.write_text(
        "departments:\n  road lamps: 路灯所\n  lighting: ''\n  gas: 一\n  gas: 二\n"
        'categories:\n  "01/11": {title: 路灯}\n  "0112": {further: [nobody]}\n  "0113": {title: 灯, colour: red}\n'
        '  "0114": 灯\n  "0115": {title: 灯, further: gas}\ncolours: {}\n'
    )
    with pytest.raises(CatalogueRefused) as refused:
        load_catalogue(path)
    lines = [str(fault).removeprefix(f"{path}:").split("; known are")[0] for fault in refused.value.faults]
    assert [line.split(" (first")[0].split("; got")[0].split(" gas, ")[0] for line in lines] == [
        "2:3: departments.road lamps: a department's name must be 1 to 64 letters, digits, . _ -",
        "3:13: departments.lighting: must be a text that is not empty",
        "5:3: departments.gas: a key must stand once",
        "7:3: categories.01/11: a category's code must be 1 to 32 letters, digits, . _ -",
        "8:11: categories.0112.title: is required",
        "8:22: categories.0112.further: must be one of",
        "9:22: categories.0113.colour: unknown key",
        "10:11: categories.0114: must be a mapping of keys",
        "11:31: categories.0115.further: must be a list of departments",
        "12:1: colours: unknown key",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueRefused, match=r"none\.yaml"):
        load_catalogue(tmp_path / "none.yaml")


def test_rules_whose_work_nobody_knows_are_named(tmp_path: Path) -> None:
    (tmp_path / "dark.yaml").write_text(
        'id: lamp.dark\nreads: gas.methane\nlevels: {red: {set: "> 1"}}\ncase: {category: "0999", department: moon}\n'
    )
    faults = load_catalogue().unknown(load_rules(tmp_path).rules)
    assert [fault.key for fault in faults] == ["case.category", "case.department"]
