"""P1: bytes to changes, through the same calls that `tongguan detect` makes.

`python -m bench.p1 [--readings 10000000] [--seed 1]`. CPU is of the process with its threads and children, from the
first byte to the last change; what is before (imports, compiled code, the plan) is told apart.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import os
import platform
import resource
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import baselines, measured, readings
from bench.stages import Stages, watched
from engine.detect.batch import read_lines
from engine.detect.detector import Detector
from engine.detect.offline import Wanted
from engine.detect.output import Output

BASELINE_READINGS = 300_000

WHERE = {
    "engine.detect.batch:RecordBatch.from_lines": "lines",
    "engine.detect.decode.decoder:Decoder._scan": "scan",
    "engine.detect.decode.decoder:Decoder.decode": "decode, rest (odd shapes)",
    "engine.detect.order:Order.advance": "order",
    "engine.detect.order:Order.finish": "order",
    "engine.detect.detector:Detector._rows": "clocks",
    "engine.detect.kernels.order:admit": "late and duplicate, group by kind",
    "engine.detect.rule_state:RuleState.see": "rules",
    "engine.detect.rule_state:RuleState.sweep": "timers",
    "engine.detect.episodes:Episodes.words": "changes in words",
    "engine.detect.offline:Wanted.lines": "changes as JSON",
    "engine.detect.detector:Detector.step": "step, rest",
}


@dataclass(slots=True)
class Run:
    """What one pass over the file came to."""

    cpu_s: float
    wall_s: float
    readings: int
    changes: int
    late: int
    rejects: int
    slow: int
    checksum: str


def cpu_s() -> float:
    """CPU seconds of this process, its threads and its children, user and system."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def detect(made: readings.Files) -> Run:
    """Read the file as `tongguan detect` does."""
    detector = Detector(offline_plan=measured.plan(made), marks=False)
    gc.freeze()
    wanted = Wanted()
    run = Run(0.0, 0.0, 0, 0, 0, 0, 0, "")
    digest = hashlib.sha256()
    before, began = cpu_s(), time.perf_counter()

    def tell(output: Output) -> None:
        text = wanted.lines(output.items)
        digest.update(text)
        run.changes += text.count(b"\n")
        run.readings += output.counts.readings.total()
        run.late += len(output.late)
        run.rejects += len(output.rejects)
        run.slow += output.counts.slow

    with made.readings.open("rb") as stream:
        for batch in read_lines(stream):
            tell(detector.step(batch))
    tell(detector.finish())
    run.cpu_s, run.wall_s = cpu_s() - before, time.perf_counter() - began
    run.checksum = digest.hexdigest()
    return run


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--readings", type=int, default=readings.READINGS)
    options.add_argument("--seed", type=int, default=readings.SEED)
    options.add_argument("--cache", type=Path, default=readings.CACHE)
    options.add_argument("--stages", action=argparse.BooleanOptionalAction, default=True)
    options.add_argument("--baselines", action=argparse.BooleanOptionalAction, default=True)
    chosen = options.parse_args()
    made = readings.files(chosen.readings, chosen.seed, chosen.cache)
    size = made.readings.stat().st_size
    print(f"machine    {os.cpu_count()} CPUs, {_cpu_model()}, Python {platform.python_version()}")
    print(f"input      {chosen.readings:,} readings, {size / chosen.readings:.0f} bytes each, seed {chosen.seed}")
    warm = readings.files(min(readings.CHUNK, chosen.readings), chosen.seed, chosen.cache)
    before = cpu_s()
    detect(warm)
    print(f"set-up     {cpu_s() - before:.1f} CPU-s: compiled code, plan, and {readings.CHUNK:,} readings to warm up")
    _into_memory(made.readings)
    stages = Stages()
    with ExitStack() as stack:
        if chosen.stages:
            stack.enter_context(watched(stages, WHERE))
        run = detect(made)
    rate = chosen.readings / run.cpu_s
    print(f"P1         {rate:,.0f} readings per CPU-second: {run.cpu_s:.1f} CPU-s, {run.wall_s:.1f} s")
    print(f"outcome    {run.changes:,} changes, {run.late:,} late, {run.rejects:,} rejects, {run.slow:,} read slowly")
    print(f"checksum   {run.checksum}")
    print(f"memory     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB at most")
    if stages.ns:
        stages.ns["reading the file, and the rest"] = max(0, round(1e9 * run.cpu_s) - sum(stages.ns.values()))
    for name, ns in sorted(stages.ns.items(), key=lambda item: -item[1]):
        print(f"  {ns / chosen.readings:7.1f} ns  {name}")
    if stages.ns:
        print(f"  {1e9 * run.cpu_s / chosen.readings:7.1f} ns  in all")
    if chosen.baselines:
        for name, other in baselines.measure(made.readings, BASELINE_READINGS).items():
            print(f"baseline   {other:,.0f} per CPU-second: {name}; P1 is {rate / other:.2f} times that")


def _into_memory(path: Path) -> None:
    """Read the file once, so that the disk is not measured."""
    buffer = bytearray(1 << 22)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
