"""Settings: four layers, every fault at once, secrets masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runtime.config import Config, duration_ms, load, masked, printed, size_bytes
from engine.runtime.errors import ConfigFault


def written(folder: Path, text: str) -> Path:
    path = folder / "tongguan.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_any_layer_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}, {}) == Config()


def test_each_layer_is_above_the_one_before(tmp_path: Path) -> None:
    file = written(tmp_path, 'port = 1\nhost = "127.0.0.2"\ndata = "from-file"\ntz = "UTC"')
    environment = {"TONGGUAN_PORT": "2", "TONGGUAN_HOST": "127.0.0.3", "PATH": "/bin"}
    config = load(file, environment, {"port": 3, "data": None})
    assert (config.port, config.host, config.data, config.tz) == (3, "127.0.0.3", "from-file", "UTC")


def test_lists_in_the_environment_are_separated_by_commas(tmp_path: Path) -> None:
    config = load(written(tmp_path, ""), {"TONGGUAN_ALLOWED_HOSTS": "a.example, b.example"}, {})
    assert config.allowed_hosts == ["a.example", "b.example"]


def test_every_fault_of_every_layer_is_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, 'prot = 80\nport = "many"\nretention_age = "5 weeks"\ntz = "Mars/Base"')
    with pytest.raises(ConfigFault) as refused:
        load(file, {"TONGGUAN_SPEED": "9", "TONGGUAN_METRICS_PORT": "70000"}, {"log_time": "never"})
    faults = "\n".join(refused.value.faults)
    assert len(refused.value.faults) == 7
    for part in (
        f"{file}: prot: unknown key",
        f"{file}: port: Expected `int`, got `str`; got 'many'",
        f"{file}: retention_age:",
        "TONGGUAN_SPEED: unknown key",
        "TONGGUAN_METRICS_PORT: Expected `int` <= 65535; got '70000'",
        "flags: log_time: Invalid enum value 'never'; got 'never'",
        "tz: must be a time zone of the IANA database; got 'Mars/Base'",
    ):
        assert part in faults


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="no such file"):
        load(tmp_path / "other.toml", {}, {})


def test_a_file_that_is_no_toml_is_named_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"tongguan\.toml: .*line 1"):
        load(written(tmp_path, "port 80"), {}, {})


def test_variables_of_the_tests_are_no_settings(tmp_path: Path) -> None:
    assert load(written(tmp_path, ""), {"TONGGUAN_REQUIRE": "all", "TONGGUAN_CRASH_AT": "x"}, {}) == Config()


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    config = Config(port=81, allowed_hosts=["城.example"], data='a "folder"')
    assert load(written(tmp_path, printed(config)), {}, {}) == config


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("relay_token", "abc", "***"),
        ("relay_token", "", ""),
        ("database", "postgresql://city:open@db:5432/cases", "postgresql://city:***@db:5432/cases"),
        ("data", "data", "data"),
        ("port", 80, 80),
    ],
)
def test_secrets_are_masked(name: str, value: object, shown: object) -> None:
    assert masked(name, value) == shown


@pytest.mark.parametrize(("text", "ms"), [("0s", 0), ("500ms", 500), ("10m", 600_000), ("7d", 604_800_000)])
def test_durations_are_one_number_and_a_unit(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "5", "1.5h", "-3s", "7 d", "1w"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number and a unit"):
        duration_ms(text)


def test_sizes_are_one_number_and_a_binary_unit() -> None:
    assert (size_bytes("64MiB"), size_bytes("20GiB")) == (64 << 20, 20 << 30)
    with pytest.raises(ValueError, match="must be a whole number"):
        size_bytes("5MB")
