"""P2: Kafka to `city.alerts`, beside peers that do the same job on the same broker and topic (bench/peers/README.md).

`make bench-kafka` measures for about an hour on two cores and writes the section of docs/performance.md;
`python -m bench.kafka --quick` looks at everyone for a few seconds and writes nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator

from bench.p2 import report, topics
from bench.p2.cases import OTHERS, Case, peers_job
from bench.p2.contenders import CACHE, OURS, PEERS_RUN, prepare
from bench.p2.measuring import Bench
from bench.p2.memory import Held
from bench.p2.report import Results
from bench.p2.run import Run
from bench.p2.servers import broker, database, lacking

READINGS, OTHER_READINGS, SECONDS, ROUNDS = 80_000_000, 20_000_000, 60.0, 3
QUICK = {"readings": 6_000_000, "other_readings": 2_000_000, "seconds": 8.0, "rounds": 1}
EVERYONE = (*(peer.name for peer in PEERS_RUN), OURS)


def main() -> None:
    """Measure, print, and write the report of a full run."""
    chosen = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    kept = CACHE / ("p2-quick.json" if chosen.quick else "p2.json")
    if not chosen.report:
        if missing := lacking():
            raise SystemExit("make bench-kafka lacks:\n  " + "\n  ".join(missing))
        prepare(set(chosen.only), _say)
        results = Results.decoded(kept.read_bytes()) if chosen.more else Results.begun()
        for name, case, run in _runs(chosen):
            results.add(name, case, run)
            _say(report.line(name, case, run))
            kept.write_bytes(results.encoded())
    results = Results.decoded(kept.read_bytes())
    print(report.section(results))
    if not chosen.quick:
        report.write(results)


def _runs(chosen: argparse.Namespace) -> Iterator[tuple[str, Case, Run]]:
    """Run everyone in rounds, each round beginning with another one; then our own alone."""
    tag = "quick-" if chosen.quick else ""
    job = peers_job(f"{tag}peers", "1,000 records a batch, lz4", chosen.readings)
    others = [OTHERS[name](chosen.other_readings) for name in chosen.cases]
    held = Held(CACHE / "broker/data", _say)
    with broker(CACHE / "broker") as address, database() as server:
        bench = Bench(
            address, server, topics.Kept(CACHE / "broker/topics.json"), held, chosen.seconds, chosen.stages, _say
        )
        for case in (job, *others):
            bench.fill(case)
            bench.expect(case)
        for number in range(chosen.rounds):
            first = number * len(chosen.only) // chosen.rounds
            for name in (*chosen.only[first:], *chosen.only[:first]):
                peer = next((peer for peer in PEERS_RUN if peer.name == name), None)
                yield name, job, bench.ours(job) if peer is None else bench.peer(peer, job)
            for case in others:
                yield OURS, case, bench.ours(case)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a few seconds each, one round; writes nothing")
    options.add_argument("--readings", type=int, help="in the topic of the peers' job")
    options.add_argument("--other-readings", type=int, help="in each other topic")
    options.add_argument("--seconds", type=float, help="of each run, from its first change")
    options.add_argument("--rounds", type=int)
    options.add_argument("--only", nargs="*", default=EVERYONE, choices=EVERYONE)
    options.add_argument("--cases", nargs="*", default=tuple(OTHERS), choices=tuple(OTHERS))
    options.add_argument("--more", action="store_true", help="add to the runs of the last benchmark")
    options.add_argument("--stages", action="store_true", help="say where our CPU goes; slows it down")
    options.add_argument("--report", action="store_true", help="write the report of the last run again")
    chosen = options.parse_args()
    full = {"readings": READINGS, "other_readings": OTHER_READINGS, "seconds": SECONDS, "rounds": ROUNDS}
    for name, value in (QUICK if chosen.quick else full).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    return chosen


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    main()
