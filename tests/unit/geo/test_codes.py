"""Unit-grid codes."""

import pytest

from geo import codes
from geo.codes import StreetClass
from geo.errors import BadCode


def test_a_code_is_taken_apart_and_put_together() -> None:
    code = codes.parse("330683001028100")
    assert (code.county, code.street, code.community, code.serial) == ("330683", "001", "028", 100)
    assert (code.street_code, code.community_code) == ("330683001", "330683001028")
    assert str(code) == "330683001028100"


@pytest.mark.parametrize(
    ("street", "street_class"),
    [
        ("001", StreetClass.SUBDISTRICT),
        ("099", StreetClass.SUBDISTRICT),
        ("100", StreetClass.TOWN),
        ("199", StreetClass.TOWN),
        ("200", StreetClass.TOWNSHIP),
        ("399", StreetClass.TOWNSHIP),
        ("400", StreetClass.OTHER),
    ],
)
def test_the_street_part_tells_its_class(street: str, street_class: StreetClass) -> None:
    assert codes.parse(f"330683{street}001001").street_class is street_class


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("33068300102810", "15 digits"),
        ("3306830010281000", "15 digits"),
        ("33068300102810x", "15 digits"),
        ("330683００1028100"[:15], "15 digits"),
        ("", "15 digits"),
        ("100683001028100", "province"),
        ("990683001028100", "province"),
        ("330683000028100", "street"),
        ("330683001000100", "community"),
        ("330683001028000", "serial"),
    ],
)
def test_a_bad_code_is_refused_with_its_reason(code: str, why: str) -> None:
    with pytest.raises(BadCode, match=why):
        codes.parse(code)


def test_serials_run_from_west_to_east_and_rows_from_north_to_south() -> None:
    #  3 2      1 and 2 lie a little higher and lower than the row; 0 lies below
    #  1 0
    lon = [1000, 0, 1000, 0]
    lat = [0, 90, 1010, 1000]
    serials = [int(code[12:]) for code in codes.generate("330683001028", lon, lat, row_e7=900)]
    assert serials == [4, 3, 2, 1]


def test_a_row_ends_where_the_next_grid_lies_a_row_height_further_south() -> None:
    same = codes.generate("330683001028", [10, 0], [1000, 101], row_e7=900)
    below = codes.generate("330683001028", [10, 0], [1000, 100], row_e7=900)
    assert [code[12:] for code in same] == ["002", "001"]
    assert [code[12:] for code in below] == ["001", "002"]


def test_a_community_has_at_most_999_grids() -> None:
    assert len(codes.generate("330683001028", range(999), [0] * 999, 1)) == 999
    with pytest.raises(BadCode, match="at most 999"):
        codes.generate("330683001028", range(1000), [0] * 1000, 1)


def test_a_community_that_is_not_12_digits_is_refused() -> None:
    with pytest.raises(BadCode):
        codes.generate("33068300102", [0], [0], 1)
