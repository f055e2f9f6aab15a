"""docker-compose.yml and Dockerfile name commands, settings and files that exist, and keep to what is promised."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema.validators import validator_for
from ruamel.yaml import YAML

from engine.cli import COMMANDS, loaded
from engine.runtime.config import load

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("tongguan:")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
WITH_COMMAND = {name: service["command"] for name, service in OURS.items() if "entrypoint" not in service}


def schema() -> dict[str, Any]:
    """Return the schema of compose files that check-jsonschema brings."""
    spec = find_spec("check_jsonschema")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "builtin_schemas/vendor/compose-spec.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_it_is_a_compose_file() -> None:
    said = schema()
    assert [error.message for error in validator_for(said)(said).iter_errors(COMPOSE)] == []


def test_it_has_every_part_of_the_city() -> None:
    assert {"kafka", "postgres", "worker-1", "worker-2", "serve", "simulator"} <= set(SERVICES)
    assert {"prometheus", "alertmanager", "grafana"} <= set(SERVICES)


# ---- what is promised of every container


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_pinned_and_can_do_nothing_that_it_need_not(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"]), "a version, not a moving tag"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert str(service["user"]).partition(":")[0] not in ("0", "root")


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_reached_from_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert service.get("network_mode", "none") == "none"


@pytest.mark.parametrize("name", SERVICES)
def test_its_secrets_are_files_that_are_made_at_the_first_start(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|TOKEN|DATABASE", key):
            assert key.endswith("_FILE"), key
            assert value.startswith("/etc/tongguan/")


@pytest.mark.parametrize("name", SERVICES)
def test_it_says_whether_it_is_well_or_ends_by_itself(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check.get("disable") is True or check["test"][0] == "CMD"
    once = SERVICES[name]["restart"] == "on-failure"
    assert once == (name in ("secrets", "tables", "topics", "plan", "token"))


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_waits_for_can_come(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        once = SERVICES[other]["restart"] == "on-failure"
        assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
        assert once or "test" in SERVICES[other]["healthcheck"]


# ---- what it says of the project


def mounts() -> list[tuple[str, str, str]]:
    """Return service, source and target of every mount."""
    return [(name, *text.split(":")[:2]) for name, service in SERVICES.items() for text in service.get("volumes", ())]


def test_every_file_that_is_mounted_is_there() -> None:
    missing = [source for _, source, _ in mounts() if source.startswith("./") and not (ROOT / source).exists()]
    assert missing == []


def test_every_volume_is_declared_and_used() -> None:
    assert {source for _, source, _ in mounts() if not source.startswith("./")} == set(COMPOSE["volumes"])


def test_compiled_code_has_a_place_that_can_be_written() -> None:
    cache = re.search(r"NUMBA_CACHE_DIR=(\S+)$", DOCKERFILE, re.M)
    assert cache is not None
    assert {name for name, source, target in mounts() if (source, target) == ("compiled", cache[1])} >= set(
        WITH_COMMAND
    )


@pytest.mark.parametrize("name", OURS)
def test_its_settings_are_settings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(None, OURS[name].get("environment", {}), {})


@pytest.mark.parametrize("name", WITH_COMMAND)
def test_its_command_can_be_typed(name: str) -> None:
    words = [str(word) for word in WITH_COMMAND[name]]
    assert words[0] in COMMANDS
    command, rest = loaded(words[0]), words[1:]
    inner = getattr(command, "commands", None)
    if inner is not None:
        command, rest = inner[rest[0]], rest[1:]
    context = command.make_context(name, list(rest), resilient_parsing=True)
    _, left, _ = command.make_parser(context).parse_args(list(rest))
    assert left == []


def test_the_secrets_that_are_made_are_those_that_are_read(tmp_path: Path) -> None:
    script = (ROOT / "deploy/compose/secrets.py").read_text().replace("/etc/tongguan", str(tmp_path))
    for _ in range(2):
        subprocess.run(["python3", "-c", script], check=True, umask=0o022)
        made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert load(tmp_path / "tongguan.toml", {}, {}).database.startswith("postgresql+psycopg://tongguan:")
    assert made["postgres.password"] in made["tongguan.toml"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
    text = (ROOT / "docker-compose.yml").read_text()
    read = set(re.findall(r"/etc/tongguan/([a-z]+\.[a-z]+)", text)) - {"alertmanager.token"}
    assert read <= set(made)


def test_what_is_scraped_are_its_services_under_names_that_they_answer_to() -> None:
    scraped, here = (
        YAML(typ="safe").load(ROOT / path)["scrape_configs"][0]["static_configs"]
        for path in ("deploy/compose/prometheus.yml", "deploy/prometheus/prometheus.yml")
    )
    names = [target.partition(":")[0] for group in scraped for target in group["targets"]]
    assert names == ["serve", "worker-1", "worker-2"]
    assert all(SERVICES[name]["environment"]["TONGGUAN_ALLOWED_HOSTS"] == name for name in names)
    assert {group["labels"]["part"] for group in scraped} <= {group["labels"]["part"] for group in here}


@pytest.mark.needs("promtool")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    shutil.copy(ROOT / "deploy/compose/prometheus.yml", tmp_path)
    shutil.copy(ROOT / "deploy/prometheus/tongguan.rules.yml", tmp_path / "rules")
    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_replaced_in_alertmanagers_routes_stands_there() -> None:
    (script,) = SERVICES["alertmanager"]["command"]
    routes = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
    for old, new in re.findall(r"s\|([^|]+)\|([^|]+)\|", script):
        assert old in routes
        routes = routes.replace(old, new)
    assert "http://serve:8080/api/v1/alertmanager" in routes
    assert "credentials_file: /etc/tongguan/alertmanager.token" in routes


# ---- the image


def test_the_image_is_of_this_version_and_of_what_the_locks_say() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {service["image"] for service in OURS.values()} == {f"tongguan:{project['project']['version']}"}
    assert f"pip install {project['build-system']['requires'][0]}" in DOCKERFILE
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    pom = (ROOT / "deploy/local/broker/pom.xml").read_text()
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{re.search(r'<kafka.version>(.*)</kafka.version>', pom)[1]}"


def test_the_image_is_built_once_by_what_everything_waits_for_and_never_pulled() -> None:
    assert [name for name, service in OURS.items() if "build" in service] == ["secrets"]
    assert {service["pull_policy"] for name, service in OURS.items() if name != "secrets"} == {"never"}
    assert all("secrets" in waits_for(name) for name in OURS if name != "secrets")


def waits_for(name: str) -> set[str]:
    """Return the services that must come before one, at any remove."""
    before = set(SERVICES[name].get("depends_on", ()))
    return before.union(*map(waits_for, before))


def test_the_broker_can_run_the_libraries_that_it_unpacks() -> None:
    (folder,) = (one for one in SERVICES["kafka"]["tmpfs"] if one.startswith("/tmp:"))
    assert "exec" in folder.partition(":")[2].split(",")


def test_the_image_runs_as_nobody_in_particular_and_says_whether_it_is_well() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^FROM python:3\.11\.\d+-slim-\w+", DOCKERFILE, re.M)
    assert re.search(r"^USER tongguan$", last, re.M)
    assert "--uid 10001" in last
    assert {service["user"] for service in OURS.values()} == {"10001:10001"}
    assert "HEALTHCHECK" in last
    assert 'ENTRYPOINT ["tongguan"]' in last


def test_the_image_is_built_from_the_packages_and_nothing_else() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages | {"pyproject.toml", "requirements.lock", "README.md", "LICENSE"} == kept
    assert all((ROOT / name).exists() for name in kept)


def test_no_setting_of_this_machine_is_in_the_files() -> None:
    for name in ("docker-compose.yml", "Dockerfile", ".dockerignore", "deploy/compose/prometheus.yml"):
        assert not re.search(r"(?<![\w.])/(?:home|root|work)/", (ROOT / name).read_text()), name
    assert os.fspath(ROOT) not in DOCKERFILE
