"""Where the CPU of our telemetry service goes: run like bench.p2.own, it says so at its end."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress

import uvloop

from bench.p1 import WHERE, cpu_s
from bench.p2.own import judge
from bench.stages import Stages, watched
from engine.commands.worker import log_to_stderr
from engine.runtime.config import load

KAFKA = {
    "engine.runtime.kafka.judging:_judged": "record batches: rest",
    "engine.runtime.kafka.partition:Partition.step": "step, rest",
    "engine.runtime.kafka.records:_check_crcs": "record batches: CRC",
    "engine.runtime.kafka.records:_unpacked": "record batches: lz4",
    "engine.runtime.kafka.records:_columns": "record batches: columns",
    "engine.runtime.kafka.judging:packed": "changes as records",
    "engine.runtime.kafka.partition:Coalesced.learn": "last values",
    "engine.detect.last_values:Values.tell": "last values",
    "engine.runtime.kafka.saving:_snapshot": "checkpoints, last values gathered",
}
OFFLINE = ("engine.detect.batch:RecordBatch.from_lines", "engine.detect.offline:Wanted.lines")


async def _timed(stages: Stages) -> None:
    began, start_s = cpu_s(), time.thread_time()
    with suppress(asyncio.CancelledError):
        await judge(load(None, os.environ, {}))
    stages.ns["event loop: fetching, producing"] = round(1e9 * (time.thread_time() - start_s))
    stages.ns["other threads"] = max(0, round(1e9 * (cpu_s() - began)) - sum(stages.ns.values()))


def main() -> None:
    """Judge until SIGTERM, then print CPU seconds by stage."""
    log_to_stderr()
    stages = Stages()
    with watched(stages, {name: stage for name, stage in (WHERE | KAFKA).items() if name not in OFFLINE}):
        uvloop.run(_timed(stages))
    for name, ns in sorted(stages.ns.items(), key=lambda item: -item[1]):
        print(f"  {ns / 1e9:7.2f} s {100 * ns / sum(stages.ns.values()):4.0f} %  {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
