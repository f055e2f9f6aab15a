"""`tongguan detect`: readings in, alert changes out; no broker, no database, no clock."""

from __future__ import annotations

import gc
import os
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, cast
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from engine.detect.batch import RecordBatch, read_lines
from engine.detect.detector import Detector
from engine.detect.offline import Built, FilesRefused, PlanFiles, Wanted, build_plan, late_line
from engine.detect.output import Output
from engine.runtime.config import duration_ms, size_bytes
from engine.runtime.crashpoints import poisoned
from engine.runtime.log import Stream
from rules.civil import CITY_TZ

LONGEST_MS = 36_500 * 86_400_000
PATIENCE_S = 0.05


def _duration(flag: str, text: str) -> int:
    try:
        ms = duration_ms(text)
    except ValueError as error:
        raise typer.BadParameter(f"{flag} {error}") from None
    if ms > LONGEST_MS:
        raise typer.BadParameter(f"{flag} must be at most 36500d; got {text!r}")
    return ms


def _size(flag: str, text: str) -> int:
    try:
        return size_bytes(text)
    except ValueError as error:
        raise typer.BadParameter(f"{flag} {error}") from None


def time_zone(text: str) -> str:
    """Check the name of a time zone."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise typer.BadParameter(f"--tz must be a time zone such as Asia/Shanghai; got {text!r}") from None
    return text


def detect(
    rules: Annotated[Path, typer.Option(exists=True, help="Folder of rule files, searched with its folders.")],
    source: Annotated[
        Path | None, typer.Argument(metavar="[IN]", help="NDJSON readings; standard input if not given or -.")
    ] = None,
    city: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of a city.")] = None,
    registry: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Sensors: CSV or GeoJSON.")] = None,
    grids: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Unit grids: GeoJSON.")] = None,
    zones: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of <set>.geojson.")] = None,
    kinds: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The city's own kinds: YAML.")] = None,
    max_delay: Annotated[str, typer.Option(metavar="D", help="How long readings wait for those before them.")] = "0s",
    max_age: Annotated[str, typer.Option(metavar="D", help="Readings older than this are stale.")] = "7d",
    tz: Annotated[str, typer.Option(metavar="Z", help="Time zone of the city.")] = CITY_TZ,
    waiting_size: Annotated[
        str, typer.Option(metavar="S", help="Stop when those that wait hold more: 64MiB, 2GiB.")
    ] = "256MiB",
    late: Annotated[Path | None, typer.Option(dir_okay=False, help="Write late, stale, duplicate ones here.")] = None,
    rejects: Annotated[Path | None, typer.Option(dir_okay=False, help="Write rejected texts here.")] = None,
    skip: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Records to pass over, a number or row a line.")
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Print changes of shadow rules too.")] = False,
    marks: Annotated[bool, typer.Option("--marks", help="Print marks and stills too.")] = False,
) -> None:
    """Judge NDJSON readings by rules: alert changes come out as NDJSON.

    Faulty rules are named on standard error and the others run; the exit code is then 1.

    Example: tongguan detect --rules rules/library --registry sensors.csv readings.ndjson
    """
    waiting_bytes = _size("--waiting-size", waiting_size)
    delay_ms, age_ms = _duration("--max-delay", max_delay), _duration("--max-age", max_age)
    if city is not None:
        kinds = kinds or (city / "kinds.yaml" if (city / "kinds.yaml").exists() else None)
        registry = registry or (city / "sensors.csv" if (city / "sensors.csv").exists() else None)
        grids, zones = grids or city / "grids.geojson", zones or city / "zones"
    built = _build(PlanFiles(rules, registry, grids, zones, kinds, delay_ms, age_ms, time_zone(tz)))
    for fault in built.rule_faults:
        print(fault, file=sys.stderr)
    skips = read_skips(skip) if skip is not None else frozenset()
    try:
        with ExitStack() as files:
            sinks = _Sinks(
                sys.stdout.buffer,
                Wanted(shadow, marks),
                files.enter_context(late.open("wb")) if late else None,
                files.enter_context(rejects.open("wb")) if rejects else None,
            )
            stream, size = _opened(source, files)
            detector = Detector(offline_plan=built.plan, marks=marks)
            gc.freeze()  # the plan stays to the end: the collector need not walk through it again and again
            for batch in _watched(read_lines(stream), size, sinks):
                kept = batch.without(skips)
                poisoned(kept)
                sinks.write(detector.step(kept))
                if detector.waiting_bytes > waiting_bytes:
                    line, mib = int(batch.offset[-1]), detector.waiting_bytes >> 20
                    print(
                        f"tongguan detect: stopped behind line {line}: {mib} MiB of readings wait for the watermark; "
                        "give a larger --waiting-size or a smaller --max-delay",
                        file=sys.stderr,
                    )
                    raise typer.Exit(1)
            sinks.write(detector.finish())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        print(f"tongguan detect: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if built.rule_faults:
        raise typer.Exit(1)


def _build(files: PlanFiles) -> Built:
    try:
        return build_plan(files)
    except FilesRefused as refusal:
        for fault in refusal.faults:
            print(fault, file=sys.stderr)
        raise typer.Exit(1) from None


def read_skips(file: Path) -> frozenset[int]:
    """Read the records that workers pass over: `offset`, or JSON with `topic`, `partition` and `offset`, a line.

    An offset is a line number of the input, as in an export of the log; so all are of one partition.
    """
    found: set[int] = set()
    partitions: set[object] = set()
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            offset = row["offset"] if isinstance(row, dict) else row
            partitions |= {row["partition"]} if isinstance(row, dict) else set()
            if type(offset) is not int or (isinstance(row, dict) and row["topic"] != Stream.READINGS):
                raise ValueError
        except (ValueError, KeyError):
            shown = line[:80].decode("utf-8", "replace")
            rule = "must be an offset, or JSON with topic city.readings, partition and offset"
            raise typer.BadParameter(f"--skip {file.name}:{number}: {rule}; got {shown}") from None
        found.add(offset)
    if len(partitions) > 1:
        raise typer.BadParameter(f"--skip {file}: must be of one partition, as a file of readings is; got {partitions}")
    return frozenset(found)


class _Sinks:
    """Where changes, late readings and rejects go."""

    def __init__(self, out: BinaryIO, wanted: Wanted, late: BinaryIO | None, rejects: BinaryIO | None) -> None:
        self._out = out
        self._wanted = wanted
        self._late = late
        self._rejects = rejects
        self.readings = 0
        self.changes = 0

    def write(self, output: Output) -> None:
        self.readings += output.counts.readings.total()
        text = self._wanted.lines(output.items)
        self.changes += text.count(b"\n")
        self._out.write(text)
        self._out.flush()
        if self._late is not None:
            self._late.write(b"".join(late_line(row) for row in output.late))
        if self._rejects is not None:
            self._rejects.write(b"".join(late_line(row) for row in output.rejects))


class _Piped:
    """Standard input, given out as soon as it stops coming for a moment."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytes:
        parts = [os.read(self._descriptor, size)]
        read = len(parts[0])
        while parts[-1] and read < size and select.select([self._descriptor], [], [], PATIENCE_S)[0]:
            parts.append(os.read(self._descriptor, size - read))
            read += len(parts[-1])
        return b"".join(parts)


def _opened(source: Path | None, files: ExitStack) -> tuple[BinaryIO, int | None]:
    """Open the input; the size is None where it cannot be told."""
    if source is None or str(source) == "-":
        return cast(BinaryIO, _Piped(sys.stdin.fileno())), None
    stream = files.enter_context(source.open("rb"))
    return stream, source.stat().st_size or None


def _watched(batches: Iterable[RecordBatch], size: int | None, sinks: _Sinks) -> Iterator[RecordBatch]:
    """Show how far it is on standard error, if that is a terminal."""
    with _progress(size) as progress:
        task = progress.add_task("detect", total=size, said="")
        for batch in batches:
            yield batch
            said = f"{sinks.readings:,} readings, {sinks.changes:,} changes"
            read = int(batch.end[-1]) + 1 if len(batch) else 0
            progress.update(task, advance=read, said=said)


@contextmanager
def _progress(size: int | None) -> Iterator[Progress]:
    bar = [BarColumn()] if size is not None else []
    columns = [TextColumn("{task.description}"), *bar, DownloadColumn(), TimeElapsedColumn()]
    columns.append(TextColumn("{task.fields[said]}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress
