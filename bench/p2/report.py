"""What came out: a line a run, a table, a plot, and the section of docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from statistics import median
from typing import Self

import aiokafka
import msgspec

from bench.p2.cases import Case
from bench.p2.contenders import OURS, PEERS_RUN, ROOT
from bench.p2.plot import Bar, bars
from bench.p2.run import Run

PAGE = ROOT / "docs/performance.md"
PLOT = ROOT / "docs/p2.svg"
BEGIN, END = "<!-- bench.kafka: begin -->", "<!-- bench.kafka: end -->"


FIGURES = ("per CPU-s, whole", "per CPU-s, last 80 %", "per s, whole", "per s, last 80 %")
HEADING = """## P2: Kafka to `city.alerts`, beside peers

`make bench-kafka`, {date}, {machine}; commit `{commit}`.
The job, what counts and how it is measured: [bench/peers/README.md](../bench/peers/README.md).
One broker, one topic of 4 partitions, JSON readings of 190 bytes, 1,000 records a producer batch, lz4.
Readings per CPU-second and per second; CPU is user and system of all processes and threads of a contender, JIT and
garbage collection included; the broker's is not. A figure counts only when the changes equal those of detect, offline,
on the same records. Medians of interleaved rounds. *Whole* is from the start of the process; *last 80 %* is warm.

![readings per CPU-second](p2.svg)
"""
VERSIONS = (
    "Versions: Kafka {Kafka}, {Java}, Python {Python}, {PostgreSQL}; the peers' stand in the table and are pinned in "
    "`bench/peers/`."
)


class Row(msgspec.Struct):
    """One run."""

    contender: str
    case: str
    title: str
    run: Run


class Results(msgspec.Struct):
    """All runs of one benchmark, and where it ran."""

    date: str
    machine: str
    versions: dict[str, str]
    rows: list[Row] = []

    @classmethod
    def begun(cls) -> Self:
        """Begin with no runs, on this machine."""
        versions = {peer.name: peer.version for peer in PEERS_RUN} | {
            "Python": platform.python_version(),
            "Java": _first_line(["java", "-version"]),
            "Kafka": re.search(r"<kafka.version>(.*?)<", (ROOT / "deploy/local/broker/pom.xml").read_text())[1],  # type: ignore[index]
            "PostgreSQL": _first_line(["psql", "--version"]),
            "commit": _first_line(["git", "rev-parse", "--short=12", "HEAD"]),
            OURS: aiokafka.__version__,
        }
        machine = f"{os.cpu_count()} CPUs, {_cpu_model()}, {_memory_gib()} GiB, Linux {platform.release()}"
        return cls(_first_line(["date", "-u", "+%Y-%m-%d"]), machine, versions)

    def add(self, contender: str, case: Case, run: Run) -> None:
        """Take note of a run."""
        self.rows.append(Row(contender, case.name.removeprefix("quick-"), case.title, run))

    def of(self, contender: str, case: str) -> list[Run]:
        """Return the runs of one contender on one case."""
        return [row.run for row in self.rows if (row.contender, row.case) == (contender, case)]

    def encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self))

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        return msgspec.json.decode(data, type=cls)


class Figure(msgspec.Struct, frozen=True):
    """Medians of some runs; `fault` of one that does not count."""

    cpu: float
    warm_cpu: float
    wall: float
    warm_wall: float
    beside: float
    readings: float
    runs: int
    fault: str | None

    def words(self) -> tuple[str, ...]:
        """Return the cells of `FIGURES`."""
        if not self.runs:
            return (f"does not count: {self.fault}", "", "", "")
        return tuple(f"{value:,.0f}" for value in (self.cpu, self.warm_cpu, self.wall, self.warm_wall))

    @classmethod
    def of(cls, runs: list[Run]) -> Self:
        """Take the medians of the runs whose output was right."""
        good = [run for run in runs if run.fault is None]
        fault = next((run.fault for run in runs if run.fault is not None), None)
        if not good:
            return cls(0, 0, 0, 0, 0, 0, 0, fault or "not run")
        return cls(
            median(run.whole.per_cpu_s for run in good),
            median(run.warm.per_cpu_s for run in good),
            median(run.whole.per_s for run in good),
            median(run.warm.per_s for run in good),
            median(run.whole.beside_s for run in good),
            median(run.whole.readings for run in good),
            len(good),
            fault,
        )


def line(name: str, case: Case, run: Run) -> str:
    """Say in a line how one run went."""
    if run.fault is not None:
        return f"{name:14} {case.name:14} DOES NOT COUNT: {run.fault}"
    return (
        f"{name:14} {case.name:14} {run.whole.per_cpu_s:11,.0f} per CPU-s (last 80 %: {run.warm.per_cpu_s:11,.0f}), "
        f"{run.whole.per_s:11,.0f} per s ({run.warm.per_s:11,.0f}); "
        f"{run.whole.readings:,} readings, {run.changes:,} changes equal, {run.whole.wall_s:.0f} s"
    )


def section(results: Results) -> str:
    """Return the section of docs/performance.md."""
    return "\n".join([BEGIN, *_heading(results), *_peers(results), "", *_alone(results), *_versions(results), END])


def write(results: Results) -> None:
    """Put the section into docs/performance.md and draw the plot."""
    page = PAGE.read_text()
    text = section(results)
    if BEGIN in page:
        page = page[: page.index(BEGIN)] + text + page[page.index(END) + len(END) :]
    else:
        page = f"{page.rstrip()}\n\n{text}\n"
    PAGE.write_text(page)
    PLOT.write_text(bars("Readings per CPU-second, last 80 % of each run", _bars(results)))


def _heading(results: Results) -> list[str]:
    return [HEADING.format(date=results.date, machine=results.machine, **results.versions)]


def _times(ours: float, theirs: float) -> str:
    """Say how many times; nothing of who did nothing."""
    return f"{ours / theirs:.2f}" if theirs else ""


def _peers(results: Results) -> list[str]:
    ours = Figure.of(results.of(OURS, "peers"))
    names = {OURS: ("**Tongguan**", "its checkpoints, on; repeats after a restart have the same ids")}
    names |= {peer.name: (f"{peer.title} {results.versions[peer.name]}", peer.keeps) for peer in PEERS_RUN}
    figures = {name: Figure.of(results.of(name, "peers")) for name in names}
    rows = _table("", "state and promise, as run", *FIGURES, "Tongguan is ×, whole", "last 80 %", "rounds")
    for name, one in sorted(figures.items(), key=lambda item: -item[1].warm_cpu):
        times = _times(ours.cpu, one.cpu), _times(ours.warm_cpu, one.warm_cpu)
        rows.append(_row(*names[name], *one.words(), *times, str(one.runs)))
    return rows


def _alone(results: Results) -> list[str]:
    titles = {row.case: row.title for row in results.rows if row.contender == OURS}
    rows = ["Tongguan on other topics, checkpoints on:", ""]
    rows += _table("readings", *FIGURES, "PostgreSQL's CPU-s beside", "readings a run", "rounds")
    for case, title in titles.items():
        one = Figure.of(results.of(OURS, case))
        said = title if case == "shipped" else f"peers' job, {title}"
        rows.append(_row(said, *one.words(), f"{one.beside:.1f}", f"{one.readings / 1e6:.1f} M", str(one.runs)))
    return [*rows, ""]


def _table(*titles: str) -> list[str]:
    return [_row(*titles), "|---" * len(titles) + "|"]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _versions(results: Results) -> list[str]:
    return [VERSIONS.format(**results.versions)]


def _bars(results: Results) -> list[Bar]:
    names = {OURS: "Tongguan"} | {peer.name: peer.title for peer in PEERS_RUN}
    figures = [(title, Figure.of(results.of(name, "peers")).warm_cpu, name == OURS) for name, title in names.items()]
    return [Bar(title, value, ours) for title, value, ours in sorted(figures, key=lambda bar: -bar[1]) if value]


def _first_line(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(ROOT))
    except OSError:
        return "not known"
    return ((done.stdout or done.stderr).strip().splitlines() or ["not known"])[0]


def _cpu_model() -> str:
    names = re.findall(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
