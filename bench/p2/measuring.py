"""Runs on one broker: topics are filled, contenders started one at a time, and what they wrote is judged."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.p2 import topics
from bench.p2.batches import PARTITIONS
from bench.p2.cases import Case
from bench.p2.contenders import CACHE, OURS, Contender, own
from bench.p2.memory import Held
from bench.p2.oracle import Oracle, oracle
from bench.p2.processes import Command, Tree
from bench.p2.run import Progress, Rates, Run, rates, watch
from bench.p2.servers import Database
from engine.runtime.config import Config
from engine.runtime.kafka.topics import Topics, Wanted, wanted

NOTHING = Rates(0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class Bench:
    """The servers, and what is known of them."""

    broker: str
    database: Database
    kept: topics.Kept
    held: Held
    seconds: float
    stages: bool
    say: Callable[[str], None]
    _oracles: dict[str, Oracle] = field(default_factory=dict)
    _runs: int = 0

    def fill(self, case: Case) -> None:
        """Have the readings of a case in its topic."""
        name = Topics(case.prefix).readings
        if self.kept.has(name, case.stream):
            return
        self.say(f"filling {name}: {case.stream.readings:,} readings …")
        self.kept.forget(name)
        config = next(topic for topic in self._topics(case) if topic.name == name)
        began = time.monotonic()
        asyncio.run(topics.fill(self.broker, name, case.stream, dict(config.settings)))
        self.kept.note(name, case.stream)
        self.say(f"  {case.stream.readings / (time.monotonic() - began):,.0f} a second")

    def expect(self, case: Case) -> None:
        """Have the expected changes of a case; of the same readings in other batches, the longest serves all."""
        known = self._oracles.get(case.plan.digest)
        if known is None or known.readings < case.stream.readings:
            self._oracles[case.plan.digest] = oracle(case.stream, case.plan, CACHE, self.say)

    def ours(self, case: Case) -> Run:
        """Run our telemetry service on a case: new outputs, an empty database."""
        env = {
            "TONGGUAN_BROKER": self.broker,
            "TONGGUAN_DATABASE": self.database.fresh(case.plan),
            "TONGGUAN_TOPIC_PREFIX": case.prefix,
            "TONGGUAN_LOG_TIME": "record",
            "TONGGUAN_SINGLE_NODE": "true",
            "TONGGUAN_NAME": "bench",
            "TONGGUAN_GROUP": f"{case.prefix}{OURS}-{self._number()}",
        }
        asyncio.run(self._fresh([topic for topic in self._topics(case) if topic.name != Topics(case.prefix).readings]))
        return asyncio.run(self._run(OURS, own(env, stages=self.stages), Topics(case.prefix).alerts, case))

    def peer(self, peer: Contender, case: Case) -> Run:
        """Run a peer on a case of the peers' job: a new output topic, a new group, an empty state."""
        group = f"{peer.name}-{self._number()}"
        output = f"{group}.changes"
        asyncio.run(self._fresh([Wanted(output, 1, 1, topics.OUTPUT_CONFIG)]))
        state = Path(tempfile.mkdtemp(prefix="tongguan-peer-"))
        env = {
            "PEER_BROKER": self.broker,
            "PEER_INPUT": Topics(case.prefix).readings,
            "PEER_OUTPUT": output,
            "PEER_GROUP": group,
            "PEER_STATE": str(state),
        }
        try:
            return asyncio.run(self._run(peer.name, peer.command(env), output, case))
        finally:
            shutil.rmtree(state, ignore_errors=True)

    def _number(self) -> str:
        self._runs += 1
        return f"{int(time.time())}-{self._runs}"

    def _log(self, name: str) -> Path:
        path = CACHE / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _topics(self, case: Case) -> tuple[Wanted, ...]:
        config = Config(topic_prefix=case.prefix, log_time="record", single_node=True, partitions=PARTITIONS)
        return wanted(config, least_ms=0)

    async def _fresh(self, outputs: list[Wanted]) -> None:
        """Let go of what earlier runs wrote, and make empty outputs."""
        await topics.clear(self.broker, self.kept.names())
        for topic in outputs:
            await topics.create(self.broker, topic.name, topic.partitions, dict(topic.settings))

    async def _run(self, name: str, command: Command, output: str, case: Case) -> Run:
        self.held.hold(Topics(case.prefix).readings)
        tree = Tree(command, self._log(name))
        with tree:
            samples = await watch(tree, self.broker, output, self.seconds, {self.database.pid})
            code = tree.ended()
        if name == OURS and self.stages:
            self.say(tree.log.read_text())
        told = await topics.told(self.broker, output)
        if not told:
            return Run(NOTHING, NOTHING, 0, f"no changes; see {tree.log.name} ({code=})")
        progress = Progress(told, case.stream)
        # peers judge in the order of the log
        left_out = () if name == OURS else case.stream.overtaken()
        fault = self._oracles[case.plan.digest].fault(told, progress, left_out)
        if fault is None and code is not None:
            fault = f"{name} ended by itself ({code=})"
        return Run(*rates(samples, progress), len(told), fault)
