"""What detect does not pass over on Kafka: it says so, names the command, goes on elsewhere, and here when told to."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from sqlalchemy import delete, select, update

from engine.casework.log_schema import checkpoint, checkpoint_head
from engine.runtime.gaps import Gap
from engine.runtime.kafka.accepted import accept
from engine.runtime.kafka.means import Limits
from engine.runtime.kafka.refusals import Refusal
from engine.runtime.kafka.telemetry import Telemetry
from engine.runtime.readings import plan_record, tick_record
from tests.kafka.flow import START, Flow, Plans, Record, expected, readings, town_plan, until
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres")]
LATER = START + 100_000_000


@pytest.fixture
def flow(broker: Broker, database: Database) -> Flow:
    return Flow(broker, database, partitions=2)


async def refused(worker: Telemetry, number: int, reason: str) -> Refusal:
    """Wait until a partition is refused for a reason."""

    def now() -> Refusal | None:
        if worker.failed.done():
            worker.failed.result()
        found = [status.refusal for status in worker.status() if status.partition == number]
        return found[0] if found and found[0] is not None and found[0].reason == reason else None

    await until(now, f"partition {number} is refused: {reason}; {worker.status()}")
    found = now()
    assert found is not None
    return found


async def accepted(flow: Flow, refusal: Refusal) -> None:
    """Accept what a refusal names."""
    gap = Gap("city.readings", refusal.partition, refusal.first, refusal.last, "a test", "tester", START)
    await asyncio.to_thread(accept, flow.database.store, gap)


async def trim(flow: Flow, partition: int, before: int) -> None:
    """Let the log let go of what stands before an offset."""
    tp = TopicPartition(flow.topics.readings, partition)
    async with flow.connection.opened(flow.connection.admin()) as admin:
        await admin.delete_records({tp: RecordsToDelete(before)})


async def judged_part(flow: Flow, plan_records: list[Record], plans: Plans) -> None:
    """Judge records and stop in good order."""
    async with flow.running(plans) as worker:
        await flow.play(plan_records)
        await flow.judged(worker)


def test_a_log_that_was_trimmed_beyond_the_checkpoint_goes_on_when_the_gap_is_accepted(flow: Flow) -> None:
    plan, records = town_plan(), readings(21, 3_000)

    async def story() -> None:
        await flow.begin(plan)
        await judged_part(flow, records[:1000], Plans(plan))
        position = (await flow.ends())[1]
        await flow.play(records[1000:])
        start = (await flow.ends())[1] - 100
        await trim(flow, 1, start)
        async with flow.running(Plans(plan)) as worker:
            refusal = await refused(worker, 1, "trimmed")
            assert (refusal.first, refusal.last) == (position, start - 1)
            assert f"--partition 1 --from {position} --to {start - 1}" in refusal.text
            assert "tongguan gap accept" in refusal.text
            ends = await flow.ends()
            await until(lambda: worker.positions[0] == ends[0], "the other goes on")
            assert worker.positions[1] == position
            await accepted(flow, refusal)
            await flow.judged(worker)
            assert worker.status()[1].refusal is None
            assert (await flow.changes())[-1]["plan"] == plan.short

    asyncio.run(story())


def test_a_log_without_checkpoints_begins_where_it_begins_with_a_plan(flow: Flow) -> None:
    plan, records = town_plan(), readings(22, 2_000)

    async def story() -> None:
        await flow.begin(plan)
        await flow.play(records[:500])
        starts = await flow.ends()
        await flow.begin(plan, records[500].log_time)
        await flow.play(records[500:])
        await flow.finish(LATER)
        for number, start in starts.items():
            await trim(flow, number, start)
        async with flow.running(Plans(plan)) as worker:
            await flow.judged(worker)

    asyncio.run(story())


def test_readings_before_the_first_plan_wait_for_it_and_for_who_passes_over_them(flow: Flow) -> None:
    plan, records = town_plan(), readings(23, 400)

    async def story() -> None:
        await flow.finish(START)  # a tick alone is nothing to judge
        await flow.play(records[:100])
        async with flow.running(Plans(plan)) as worker:
            refusal = await refused(worker, 0, "no_plan")
            assert "`tongguan plan set`" in refusal.text
            behind = await flow.ends()
            await flow.begin(plan)
            await flow.play(records[100:])
            for number in range(2):
                await until(
                    lambda n=number: worker.status()[n].refusal and worker.status()[n].refusal.last >= 0, "both"
                )
                refusal = await refused(worker, number, "no_plan")
                assert (refusal.first, refusal.last) == (1, behind[number] - 1)
                assert "tongguan gap accept" in refusal.text
                await accepted(flow, refusal)
            await flow.finish(LATER)
            await flow.judged(worker)
        assert await flow.changes() == expected(plan, records[100:])

    asyncio.run(story())


def test_a_topic_made_anew_is_refused_and_begun_again_when_that_is_accepted(flow: Flow) -> None:
    plan, old, new = town_plan(), readings(24, 600), readings(25, 1_200)

    async def story() -> None:
        await flow.begin(plan)
        await judged_part(flow, old, Plans(plan))
        before = await flow.ends()
        await flow.recreate()
        await flow.begin(plan)
        await flow.play(new)  # longer than the old one: its end does not tell
        await flow.finish(LATER)
        async with flow.running(Plans(plan)) as worker:
            for number in range(2):
                refusal = await refused(worker, number, "recreated")
                assert (refusal.first, refusal.last) == (before[number], -1)
                assert f"--from {before[number]} --to -1" in refusal.text
                await accepted(flow, refusal)
            await flow.judged(worker)
        async with flow.running(Plans(plan)) as worker:
            await flow.judged(worker)
            assert [status.refusal for status in worker.status()] == [None, None]

    asyncio.run(story())


def test_a_log_that_ends_before_the_checkpoint_is_refused(flow: Flow) -> None:
    plan = town_plan()

    async def story() -> None:
        await flow.begin(plan)
        await judged_part(flow, readings(26, 600), Plans(plan))
        await flow.recreate()
        await flow.begin(plan)
        async with flow.running(Plans(plan)) as worker:
            refusal = await refused(worker, 0, "recreated")
            assert "recreated, truncated, or the database is of another moment" in refusal.text

    asyncio.run(story())


def test_partitions_that_were_added_later_are_not_read_until_that_is_accepted_and_the_others_are(flow: Flow) -> None:
    plan, records = town_plan(), readings(27, 1_000)

    async def story() -> None:
        await flow.begin(plan)
        await judged_part(flow, records[:500], Plans(plan))
        async with flow.connection.opened(flow.connection.admin()) as admin:
            await admin.create_partitions({flow.topics.readings: NewPartitions(total_count=3)})
        await flow.write([(2, START, plan_record(plan.digest, START).value)])
        async with flow.running(Plans(plan)) as worker:
            refusal = await refused(worker, 2, "partitions_added")
            assert "the log had 2 partitions" in refusal.text
            await flow.play(records[500:])
            await flow.finish(LATER)
            ends = await flow.ends()
            await until(lambda: {n: worker.positions.get(n) for n in ends} == ends, "the others go on")
            assert 2 not in worker.positions
            assert "tongguan gap accept" in refusal.text
            assert "--stream city.readings --partition 2 --from 0 --to -1" in refusal.text
            await accepted(flow, refusal)
            ends[2] = 1
            await until(lambda: worker.positions == ends, "the added one too")
            assert [status.refusal for status in worker.status()] == [None] * 3
            await flow.write([(2, LATER, tick_record(LATER).value), (2, LATER, b"not json")])
            await until(lambda: worker.positions[2] == 3, "what comes to it")
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def test_a_log_whose_writers_say_when_it_was_is_refused_where_the_logs_own_clock_rules(flow: Flow) -> None:
    plan = town_plan()

    async def story() -> None:
        await flow.begin(plan)  # a player's topic
        async with flow.running(Plans(plan), limits=Limits(retry_s=0.2)) as worker:
            refusal = await refused(worker, 0, "log_time")
            assert "without LogAppendTime" in refusal.text
            assert "tongguan doctor" in refusal.text
            assert worker.positions[0] == 0

    asyncio.run(story())


def test_too_many_readings_that_wait_for_their_order_stop_the_reading(flow: Flow) -> None:
    plan, records = town_plan(86_400_000), readings(28, 3_000)

    async def story() -> None:
        await flow.begin(plan)
        limits = Limits(retry_s=0.2, player=True, waiting_bytes=10_000)
        async with flow.running(Plans(plan), limits=limits) as worker:
            await flow.play(records[:1500])
            await flow.judged(worker)
            await flow.play(records[1500:])
            refusal = await refused(worker, 0, "waiting")
            assert "waiting_size" in refusal.text
        async with flow.running(Plans(plan)) as worker:
            await flow.judged(worker)

    asyncio.run(story())


@pytest.mark.parametrize("damage", ["the newest", "every one"])
def test_state_that_cannot_be_read_is_rebuilt_and_what_was_said_is_not_said_again(flow: Flow, damage: str) -> None:
    plan, records = town_plan(), readings(29, 4_000)

    async def story() -> None:
        await flow.begin(plan)
        await judged_part(flow, records[:1500], Plans(plan))
        await judged_part(flow, records[1500:3000], Plans(plan))
        said = len(await flow.read(flow.topics.alerts))
        with flow.database.store.write() as db:
            newest = select(checkpoint_head.c.generation).where(checkpoint_head.c.partition == checkpoint.c.partition)
            broken = update(checkpoint).values(data=b"broken")
            if damage == "the newest":
                broken = broken.where(checkpoint.c.generation == newest.scalar_subquery())
            db.execute(broken)
        async with flow.running(Plans(plan)) as worker:
            await flow.judged(worker)
            await until(
                lambda: all(not j.partition or not j.partition.replaying for j in worker._judging.values()), "back"
            )
            assert len(await flow.read(flow.topics.alerts)) == said
            await flow.play(records[3000:])
            await flow.finish(LATER)
            await flow.judged(worker)
        assert await flow.changes() == expected(plan, records)
        told = [json.loads(value) for value in await flow.read(flow.topics.alerts)]
        ids = [one["id"] for one in told if "id" in one]
        assert len(ids) == len(set(ids))

    asyncio.run(story())


def test_a_database_of_an_earlier_moment_replays_by_itself(flow: Flow) -> None:
    plan, records = town_plan(), readings(30, 4_000)

    async def story() -> None:
        await flow.begin(plan)
        await judged_part(flow, records[:1000], Plans(plan))
        with flow.database.store.read() as db:
            kept = {table: db.execute(select(table)).mappings().all() for table in (checkpoint_head, checkpoint)}
        await judged_part(flow, records[1000:3000], Plans(plan))
        with flow.database.store.write() as db:
            for table, rows in kept.items():
                db.execute(delete(table))
                db.execute(table.insert(), [dict(row) for row in rows])
        async with flow.running(Plans(plan)) as worker:
            await flow.play(records[3000:])
            await flow.finish(LATER)
            await flow.judged(worker)
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())
