"""The wheel, installed elsewhere and used from a foreign folder, brings all that the commands need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HOUSE = ("engine", "rules", "geo", "simulators", "console")
FILES = ("pyproject.toml", "README.md", "LICENSE")
NOT_SHIPPED = ("__pycache__", ".*", "*.egg-info", "build", "dist")


@dataclass(frozen=True)
class Installed:
    """Where the wheel was installed; commands run from a folder that knows nothing of the sources."""

    site: Path
    folder: Path
    cache: Path

    def run(self, *args: str, code: int = 0, **environment: str) -> tuple[str, str]:
        """Run `tongguan` as installed; return what it wrote to standard output and standard error."""
        command = [sys.executable, str(self.site / "bin" / "tongguan"), *args]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(environment), capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr[-3000:]
        return done.stdout, done.stderr

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TONGGUAN_", "NUMBA_"))}
        return {**kept, "PYTHONPATH": str(self.site), "NUMBA_CACHE_DIR": str(self.cache), **more}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    source, site = folder / "source", folder / "site"
    for room in HOUSE:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("tongguan-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    (folder / "elsewhere").mkdir()
    return Installed(site, folder / "elsewhere", folder / "cache")


def shipped(folder: Path) -> set[str]:
    """Return every file of the house under a folder, but compiled ones."""
    found = (path.relative_to(folder) for room in HOUSE for path in (folder / room).rglob("*") if path.is_file())
    return {str(path) for path in found if not any(part.startswith((".", "__pycache__")) for part in path.parts)}


def test_every_file_of_the_house_is_in_the_wheel(installed: Installed) -> None:
    assert shipped(ROOT) - shipped(installed.site) == set()


def test_the_command_is_the_installed_one(installed: Installed) -> None:
    out, _ = installed.run("--help")
    assert {"demo", "serve", "simulate", "detect", "rules", "geo"} <= set(re.findall(r"[a-z]+", out))
    code = "import engine, rules, geo, simulators, console; print(engine.__path__, console.__path__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed.folder,
        env=installed.environment({}),
        capture_output=True,
        text=True,
    )
    assert done.stdout.count(str(installed.site)) == 2, done.stdout + done.stderr


@pytest.mark.timeout(600)  # everything is compiled once
def test_the_shipped_rules_check_and_pass_their_tests(installed: Installed) -> None:
    library = str(installed.site / "rules" / "library")
    out, _ = installed.run("rules", "check", library)
    rules, cases = map(int, re.findall(r"^([0-9]+) rules, ([0-9]+) test cases, 0 faults$", out, re.M)[0])
    assert rules >= 11
    out, _ = installed.run("rules", "test", library)
    assert out.endswith(f"{cases} passed, 0 failed, {rules} rules\n")


def test_a_place_is_found_in_the_shipped_city(installed: Installed) -> None:
    out, _ = installed.run("geo", "locate", "120.83", "29.60")
    assert re.match(r"3306[0-9]{11}\n", out)


@pytest.mark.timeout(600)
def test_readings_are_simulated_and_judged(installed: Installed) -> None:
    for scenario in ("calm_day", "cloudburst", "gas_leak"):
        story = ("--scenario", scenario, "--duration", "1m", "--sensors", "200", "--no-prelude")
        installed.run("simulate", *story, "--to", f"{scenario}.ndjson")
        assert (installed.folder / f"{scenario}.ndjson").stat().st_size > 0
    zones = installed.site / "geo" / "cities" / "shengzhou" / "zones"
    city = ("--rules", str(installed.site / "rules" / "library"), "--zones", str(zones))
    leak = '{"sensor":"G1","kind":"gas.methane","t":1700000000000,"v":60}\n'
    (installed.folder / "leak.ndjson").write_text(leak)
    out, _ = installed.run("detect", *city, "leak.ndjson")
    assert '"rule":"gas.methane_leak"' in out
    out, _ = installed.run("detect", *city, "calm_day.ndjson")
    assert out == ""


def test_the_demo_serves_its_page_and_its_cases(installed: Installed) -> None:
    out, _ = installed.run("demo", "--duration", "5", "--port", "0", "--sensors", "300")
    assert re.search(r"http://127\.0\.0\.1:[0-9]+/login\?ticket=", out)
    kept = {path.name for path in (installed.folder / ".tongguan" / "demo").rglob("*")}
    assert {"journal.db", "cases.db", "registry.csv"} <= kept


def test_without_a_place_for_compiled_code_it_starts_and_says_so(installed: Installed) -> None:
    """A file stands where each folder of compiled code would be made, so that nobody can write one, root included."""
    geo = installed.site / "geo"
    shutil.rmtree(geo / "__pycache__", ignore_errors=True)
    (geo / "__pycache__").touch()
    place = ("geo", "locate", "120.83", "29.60")
    homeless = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    out, err = installed.run(*place, **homeless, NUMBA_CACHE_DIR="")
    assert re.match(r"3306[0-9]{11}\n", out)
    assert err.count("set NUMBA_CACHE_DIR") == 1
    again, err = installed.run(*place, **homeless)
    assert (again, err) == (out, "")
    (geo / "__pycache__").unlink()
