"""The telemetry service on a real broker and a real database: whatever comes between, the changes are the same."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from aiokafka import TopicPartition
from sqlalchemy import make_url, select

from engine.casework.log_schema import attempt, checkpoint, checkpoint_head
from engine.casework.store import Store
from engine.detect.last_values import LastValue
from engine.runtime.errors import Refused, TryAgain
from engine.runtime.kafka.telemetry import Telemetry
from engine.runtime.readings import plan_record
from tests.kafka.flow import PLAYER, START, Flow, Heard, Plans, expected, readings, town_plan, until
from tests.kafka.proxy import Proxy
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres")]
LATER = START + 100_000_000


@pytest.fixture
def flow(broker: Broker, database: Database) -> Flow:
    return Flow(broker, database)


def owners(*workers: Telemetry) -> list[int]:
    """Return the partitions that are taken over, of all workers together."""
    return sorted(number for worker in workers for number in worker.positions)


def test_a_log_over_partitions_gives_the_changes_of_the_same_records_in_one_file(flow: Flow) -> None:
    plan, records = town_plan(), readings(1, 20_000)

    async def story() -> None:
        heard = Heard()
        await flow.begin(plan)
        async with flow.running(Plans(plan), observer=heard) as worker:
            await flow.play(records)
            await flow.finish(LATER)
            await flow.judged(worker)
            assert heard.readings == len(records)
            assert [status.refusal for status in worker.status()] == [None] * 4
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def test_stopped_and_started_anywhere_it_says_the_same(flow: Flow) -> None:
    plan, records, dice = town_plan(), readings(2, 12_000), random.Random(2)

    async def story() -> None:
        await flow.begin(plan)
        cuts = [0, *sorted(dice.sample(range(len(records)), 4)), len(records)]
        for number, (first, after) in enumerate(pairwise(cuts)):
            async with flow.running(Plans(plan)) as worker:
                await flow.play(records[first:after])
                if number % 2:
                    await flow.judged(worker)
        async with flow.running(Plans(plan)) as worker:
            await flow.finish(LATER)
            await flow.judged(worker)
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def test_an_orderly_stop_keeps_every_state_at_its_position_in_two_generations(flow: Flow) -> None:
    plan, records = town_plan(), readings(3, 4_000)

    async def story() -> None:
        await flow.begin(plan)
        for part in (records[:2000], records[2000:3000], records[3000:]):
            async with flow.running(Plans(plan)) as worker:
                await flow.play(part)
                await flow.judged(worker)
        ends = await flow.ends()
        with flow.database.store.read() as db:
            heads = {row.partition: row.position for row in db.execute(select(checkpoint_head))}
            generations = {(row.partition, row.generation) for row in db.execute(select(checkpoint))}
            started = db.execute(select(attempt)).all()
        assert heads == ends
        assert {sum(1 for one, _ in generations if one == number) for number in ends} == {2}
        assert started == []

    asyncio.run(story())


def test_partitions_move_between_workers_and_what_stays_keeps_its_state_in_memory(flow: Flow) -> None:
    plan, records = town_plan(), readings(4, 12_000)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan), "one") as one:
            await flow.play(records[:4000])
            await flow.judged(one)
            before = {number: judging.partition for number, judging in one._judging.items()}
            async with flow.running(Plans(plan), "two") as two:
                await until(lambda: owners(one, two) == [0, 1, 2, 3] and two.positions, "both work")
                assert all(one._judging[number].partition is before[number] for number in one.assigned)
                await flow.play(records[4000:8000])
                await flow.judged(one, two)
            await until(lambda: owners(one) == [0, 1, 2, 3], "the other's are taken over")
            await flow.play(records[8000:])
            await flow.finish(LATER)
            await flow.judged(one)
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def test_two_who_both_believe_that_the_partitions_are_theirs_say_nothing_wrong(flow: Flow) -> None:
    plan, records = town_plan(), readings(5, 12_000)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan), "one") as one:
            await flow.play(records[:3000])
            await flow.judged(one)
            flow.group += ".zombies"
            async with flow.running(Plans(plan), "zombie") as zombie:
                await flow.play(records[3000:])
                await flow.finish(LATER)
                await flow.judged(one)
                await flow.judged(zombie)
        assert await flow.changes() == expected(plan, records)
        with flow.database.store.read() as db:
            heads = {row.partition: row.position for row in db.execute(select(checkpoint_head))}
        assert heads == await flow.ends()

    asyncio.run(story())


def test_of_two_workers_under_one_name_the_older_ends_and_says_why(flow: Flow) -> None:
    plan, records = town_plan(), readings(12, 4_000)

    async def story() -> None:
        await flow.begin(plan)
        older = flow.telemetry(Plans(plan), "same")
        await older.start()
        await flow.play(records[:2000])
        await flow.judged(older)
        async with flow.running(Plans(plan), "same") as younger:
            await flow.judged(younger)
            for record in records[2000:3000]:
                await flow.play([record])
                if older.failed.done():
                    break
            with pytest.raises(Refused, match="another worker was started as 'same'"):
                await asyncio.wait_for(older.failed, 60)
            await older.stop(1.0)
            assert not younger.failed.done()

    asyncio.run(story())


@asynccontextmanager
async def cuttable(flow: Flow) -> AsyncIterator[Proxy]:
    """Lead the workers to the database through a proxy."""
    url, direct = make_url(flow.database.url), flow.database.store
    proxy = Proxy(url.port or 5432)
    await proxy.start()
    flow.database.store = Store.connect(url.set(port=proxy.port).render_as_string(hide_password=False))
    try:
        yield proxy
    finally:
        await proxy.cut()
        flow.database.store.close()
        flow.database.store = direct


def test_a_partition_taken_over_without_the_database_waits_for_it_and_says_so(flow: Flow) -> None:
    plan, records = town_plan(), readings(13, 2_000)

    async def story() -> None:
        await flow.begin(plan)
        await flow.play(records)
        await flow.finish(LATER)
        async with cuttable(flow) as proxy:
            await proxy.cut()
            async with flow.running(Plans(plan)) as worker:
                await until(lambda: [s.refusal for s in worker.status() if s.refusal], "refused")
                refusal = worker.status()[0].refusal
                assert refusal is not None
                assert refusal.reason == "database_away"
                await proxy.start()
                await flow.judged(worker)
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def test_without_the_database_it_goes_on_and_keeps_its_state_when_it_is_back(flow: Flow) -> None:
    plan, records = town_plan(), readings(6, 8_000)

    async def story() -> None:
        await flow.begin(plan)
        heard = Heard()
        async with cuttable(flow) as proxy:
            await goes_on(proxy, heard)

    async def goes_on(proxy: Proxy, heard: Heard) -> None:
        async with flow.running(Plans(plan), observer=heard) as worker:
            await flow.play(records[:3000])
            await flow.judged(worker)
            await until(lambda: heard.checkpoints >= 4, "checkpoints")
            await proxy.cut()
            await flow.play(records[3000:])
            await flow.finish(LATER)
            await flow.judged(worker)
            aged = heard.checkpoints
            await until(lambda: min(s.checkpoint_age_s for s in worker.status()) > 1.0, "checkpoints grow old")
            assert await flow.changes() == expected(plan, records)
            await proxy.start()
            await until(lambda: heard.checkpoints >= aged + 4, "checkpoints again")

    asyncio.run(story())


def test_a_producer_beyond_help_is_made_anew_and_everything_is_said_again(flow: Flow) -> None:
    plan, records = town_plan(), readings(7, 6_000)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan)) as worker:
            await flow.play(records[:3000])
            await flow.judged(worker)
            broken = worker.producing
            broken._producer._sender.sender_task.cancel()  # as after a fatal error of aiokafka's
            await broken._producer.client.close()
            broken.failed.set_result(None)
            await flow.play(records[3000:])
            await flow.finish(LATER)
            await until(lambda: worker.producing is not broken, "a new producer")
            await flow.judged(worker)
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


@pytest.mark.parametrize("wedge", ["paused behind our back", "its fetching died"])
def test_a_consumer_that_stands_still_is_made_anew(flow: Flow, wedge: str) -> None:
    plan, records = town_plan(), readings(8, 4_000)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan)) as worker:
            await flow.play(records[:2000])
            await flow.judged(worker)
            consumer = worker._consumer
            assert consumer is not None
            if wedge == "its fetching died":
                consumer._consumer._fetcher._fetch_task.cancel()
            else:
                consumer.pause(*[TopicPartition(flow.topics.readings, number) for number in range(4)])
            await flow.play(records[2000:])
            await flow.finish(LATER)
            await flow.judged(worker)
            assert worker.rebuilt >= 1
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def test_a_partition_that_no_new_consumer_moves_ends_the_process_with_75(flow: Flow) -> None:
    plan = town_plan()

    async def story() -> None:
        await flow.begin(plan)
        worker = flow.telemetry(Plans(plan), look_s=0.2)
        await worker.start()
        await flow.judged(worker)
        for judging in worker._judging.values():
            judging.offer = lambda _raw: False  # type: ignore[method-assign]  # whatever comes is lost
        await flow.play(readings(9, 100))
        with pytest.raises(TryAgain, match="do not move after 3 new consumers") as ended:
            await asyncio.wait_for(worker.failed, 90)
        assert ended.value.exit_code == 75
        await worker.stop(1.0)

    asyncio.run(story())


def test_another_plan_is_followed_where_its_record_stands_and_waited_for_where_it_is_missing(flow: Flow) -> None:
    first, second, records = town_plan(), town_plan(version=1), readings(10, 4_000)

    async def story() -> None:
        plans = Plans(first)
        await flow.begin(first)
        async with flow.running(plans) as worker:
            await flow.play(records[:2000])
            at = await flow.ends()
            await flow.write([(2, records[1999].log_time, plan_record(second.digest, records[1999].log_time).value)])
            await flow.play(records[2000:])
            await flow.finish(LATER)
            ends = await flow.ends()
            others = {number: end for number, end in ends.items() if number != 2}
            await until(lambda: worker.positions == others | {2: at[2]}, "the others go on")
            await until(lambda: worker.status()[2].refusal is not None, "it says so")
            refusal = worker.status()[2].refusal
            assert refusal is not None
            assert refusal.reason == "plan_missing"
            assert "tongguan plan set" in refusal.text
            plans.plans[second.digest] = second
            await flow.judged(worker)
            assert worker.status()[2].refusal is None
        assert {change["plan"] for change in await flow.changes()} == {first.short, second.short}

    asyncio.run(story())


def test_last_values_are_one_record_a_sensor_and_kind_and_the_newest_comes_last(flow: Flow) -> None:
    plan, records = town_plan(0), readings(11, 4_000, max_delay_ms=0)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan), limits=PLAYER) as worker:
            await flow.play(records)
            await flow.judged(worker)
        told: dict[str, LastValue] = {}
        tp = TopicPartition(flow.topics.sensors, 0)
        async with flow.connection.opened(flow.connection.consumer()) as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            consumer.seek(tp, 0)
            while await consumer.position(tp) < end:
                for found in (await consumer.getmany(timeout_ms=500)).values():
                    for record in found:
                        value = LastValue(**json.loads(record.value))
                        assert record.key.decode() == f"{value.sensor}|{value.kind}"
                        assert record.key.decode() not in told or told[record.key.decode()].t < value.t
                        told[record.key.decode()] = value
        newest = {str(json.loads(r.value)["sensor"]): json.loads(r.value)["t"] for r in records}
        assert {value.sensor for value in told.values()} == set(newest)
        assert all(newest[value.sensor] - value.t < 60_000 for value in told.values())

    asyncio.run(story())
