"""What the tests need of the machine, and the closing table: ran, not run, why.

A test that needs a real part says so: ``@pytest.mark.needs("chromium")``. Where the machine lacks the part, the test is
skipped by name; where ``TONGGUAN_REQUIRE`` lists the part, the same lack is a failure. With ``TONGGUAN_REQUIRE=all``
every test that did not run, for whatever reason, is one.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.parts import broker as kafka
from tests.parts import mqtt, postgres
from tests.parts.broker import broker
from tests.parts.mqtt import mosquitto
from tests.parts.postgres import database, postgres_pair, postgres_server
from tests.parts.secure_broker import secure_broker

__all__ = ["broker", "database", "mosquitto", "postgres_pair", "postgres_server", "secure_broker"]

PARTS = {
    "amtool": "Alertmanager's routes, by its own tool",
    "chromium": "the page in a real browser",
    "kafka": "a real broker, from Java and Maven or at TONGGUAN_TEST_KAFKA=host:port",
    "mosquitto": "readings over MQTT",
    "postgres": "the case store on a database server",
    "prometheus": "dashboards tried on a running Prometheus",
    "prometheus-alertmanager": "alerts that come back in",
    "promtool": "metrics judged by Prometheus",
    "strace": "the order of writes and fsyncs, seen from outside",
}
FOUND: dict[str, Callable[[], bool]] = {
    "kafka": kafka.found,
    "mosquitto": lambda: mqtt.program() is not None,
    "postgres": postgres.found,
}
"""How to see whether a part is there, where looking for a program of that name does not tell."""
ROOT = Path(__file__).parent

settings.register_profile(
    "tongguan",
    max_examples=int(os.environ.get("TONGGUAN_EXAMPLES", "200")),
    deadline=None,
    derandomize="TONGGUAN_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("tongguan")


def required(part: str) -> bool:
    """Say whether a missing part is a failure."""
    wanted = os.environ.get("TONGGUAN_REQUIRE", "")
    return wanted == "all" or part in wanted.split(",")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(part): runs only where this part of the machine is there: " + ", ".join(PARTS)
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        part = mark.args[0]
        if part not in PARTS:
            pytest.fail(f"unknown part {part!r}; known are {', '.join(PARTS)}")
        if not (FOUND[part]() if part in FOUND else shutil.which(part) is not None):
            said = f"{part} is not installed ({PARTS[part]}); `make test-setup` says how"
            if required(part):
                pytest.fail(f"TONGGUAN_REQUIRE demands it: {said}")
            pytest.skip(said)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End with a failure when everything was demanded and something did not run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and os.environ.get("TONGGUAN_REQUIRE") == "all" and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a row a folder of tests, then each test that was not run with its reason."""
    rows: dict[str, Counter[str]] = {}
    why: list[tuple[str, str]] = []
    for outcome in ("passed", "failed", "error", "skipped", "xfailed"):
        for report in terminalreporter.stats.get(outcome, []):
            place = report.nodeid.split("::")[0].removeprefix("tests/")
            folder = "/".join(place.split("/")[:-1]) or place
            rows.setdefault(folder, Counter())["not run" if outcome == "skipped" else outcome] += 1
            if outcome == "skipped":
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                why.append((report.nodeid, reason.removeprefix("Skipped: ")))
    write = terminalreporter.write_line
    terminalreporter.section("ran and not run")
    write(f"{'tests':<24}{'ran':>8}{'failed':>8}{'not run':>9}")
    for folder, counts in sorted(rows.items()):
        failed = counts["failed"] + counts["error"]
        write(f"{folder:<24}{counts['passed'] + failed + counts['xfailed']:>8}{failed:>8}{counts['not run']:>9}")
    for name, reason in why:
        write(f"not run: {name}: {reason}")
    if not why:
        write("every test ran")
