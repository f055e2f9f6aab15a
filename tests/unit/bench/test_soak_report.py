"""The report of a soak sees what it is there to see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.soak.city_report import page_of, verdict

SETTING = {
    **{
        "date": "2026-01-01",
        "commit": "abc",
        "cpus": 2,
        "cpu": "x",
        "memory": 1 << 33,
        "python": "3",
        "system": "Linux",
    },
    **{"minutes": 120.0, "speed": 60.0, "sensors": 5000, "kept_ms": 52 * 3_600_000, "slack_ms": 2 * 3_600_000},
}


def look(n: int) -> dict[str, Any]:
    """What is seen in the n-th half minute of a good run."""
    seconds, first = n * 30.0, max(1, n * 900 - 90_000)
    span_ms = min(52 * 3_600_000, (12 * 60 + n * 30) * 60_000)
    return {
        **{"at_s": seconds, "now_ms": int(seconds * 60_000), "readings": int(seconds * 3900), "behind_s": 0.1},
        **{"rss": 700 << 20, "cpu_s": seconds * 0.3, "browser_cpu_s": seconds, "journal_used_bytes": 1 << 30},
        **{"cases_bytes": 1 << 20, "cases_ever": n, "cases_open": 3, "alerts_open": 3},
        **{"streams": {"city.readings": {"first": first, "last": n * 900, "span_ms": span_ms}}},
        **{"messages_kept": min(n, 99), "messages_ever": n + 1, "heap": 33 << 20, "nodes": 2000},
        **{"main_thread_s": seconds * 0.07, "long_ms": [60], "gaps_ms": [16.7] * 19 + [150.0], "live": True},
        "complaints": [],
    }


def failed(**changed: Any) -> list[str]:
    """Return what did not hold when the n-th look was otherwise: figures by name, functions of n."""
    samples = [{**look(n), **{name: of(n) for name, of in changed.items()}} for n in range(241)]
    return [what for what, good, _ in verdict(SETTING, samples) if not good]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({}, []),
        ({"rss": lambda n: (700 << 20) + n * (1 << 18)}, ["memory flat after the first quarter"]),
        ({"heap": lambda n: (33 << 20) + n * (1 << 15)}, ["the page's memory flat"]),
        ({"readings": lambda n: n * 30 * 2900}, ["≥ 3,000 readings a second"]),
        ({"now_ms": lambda n: n * 30 * 50_000}, ["the city at 60×"]),
        ({"behind_s": lambda n: 9.0 if n == 100 else 0.0}, ["detect keeps pace"]),
        (
            {"streams": lambda n: {"city.readings": {"first": 1, "last": n, "span_ms": n * 1_800_000}}},
            ["the journal stays within its retention"],
        ),
        ({"messages_kept": lambda n: n + 1}, ["messages are let go of"]),
        ({"gaps_ms": lambda n: [16.7, 300.0] if n > 200 else [16.7]}, ["the page stays smooth"]),
        ({"live": lambda n: n != 7}, ["the page follows and complains of nothing"]),
    ],
)  # fmt: skip
def test_it_says_what_did_not_hold(changed: dict[str, Any], what: list[str]) -> None:
    assert failed(**changed) == what


def test_a_look_that_failed_is_told_and_the_table_has_twelve_lines() -> None:
    samples = [look(n) for n in range(241)] + [{"at_s": 7201.0, "fault": "TimeoutError: no answer"}]
    assert [what for what, good, _ in verdict(SETTING, samples) if not good] == [
        "the page follows and complains of nothing"
    ]
    page = page_of(SETTING, samples)
    assert "1 looks that failed" in page
    assert len([line for line in page.partition("| minute |")[2].splitlines() if line.startswith("| ")]) == 12
