"""Workers as processes: from readings to cases and to whoever is told of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.runtime.notify.posting import signature
from tests.kafka.city import City, now_ms
from tests.kafka.listener import Listening
from tests.parts.broker import Broker
from tests.parts.ports import free_ports
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(900)]
SECRET = "a secret of the tests, long enough"


def in_order(messages: list[tuple[str, int]]) -> bool:
    """Tell whether each case's messages came from 1 on without a gap."""
    by_case: dict[str, list[int]] = {}
    for case, seq in messages:
        by_case.setdefault(case, []).append(seq)
    return all(seqs == list(range(1, len(seqs) + 1)) for seqs in by_case.values())


def test_readings_become_cases_that_are_told_to_the_topic_and_to_webhooks(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    with Listening() as duty, Listening(status=302) as moved, Listening() as drains:
        moved.elsewhere = drains.url
        (nobody,) = free_ports(1)
        webhooks = tmp_path / "webhooks.toml"
        webhooks.write_text(
            "".join(
                f"[[webhook]]\nname = {name!r}\nurl = {url!r}\nsecret = {SECRET!r}\n{more}\n"
                for name, url, more in (
                    ("duty", duty.url, ""),
                    ("moved", moved.url, ""),
                    ("gone", f"http://127.0.0.1:{nobody}/", ""),
                    ("drains", drains.url, 'categories = ["04"]'),
                )
            )
        )
        with City(broker, database, tmp_path, settings={"webhooks": str(webhooks)}) as city:
            city.set_plan()
            worker = city.start("w1")
            city.feed([city.reading("DL-1", "drain.level", 95), city.reading("DL-2", "drain.level", 120)])
            city.until(lambda: len(city.cases()) == 2, "two cases")
            assert {(case["sensor"], case["state"]) for case in city.cases()} == {
                ("DL-1", "reported"),
                ("DL-2", "reported"),
            }
            city.until(lambda: len(duty.posts) == len(city.records(city.topics.cases)) >= 2, "messages")
            rows = city.records(city.topics.cases)
            assert [row.key for row in rows] == [row.said["id"].rpartition(":")[0] for row in rows]
            assert sorted(post.said["id"] for post in duty.posts) == sorted(row.said["id"] for row in rows)
            assert in_order(duty.messages())
            assert drains.messages() == duty.messages()
            post = duty.posts[0]
            name, at = post.headers["webhook-id"], int(post.headers["webhook-timestamp"])
            assert name == post.said["id"]
            assert post.headers["webhook-signature"] == signature(SECRET.encode(), name, at, post.body)
            assert worker.metrics()['destination_failures{destination="webhook:gone"}'] > 0
            assert worker.metrics()['destination_failures{destination="webhook:moved"}'] > 0
            moved.status, moved.elsewhere = 204, ""
            city.until(lambda: len(set(moved.messages())) == len(rows), "the one who had moved is told", 60)
            assert city.changes() == city.expected()
            assert worker.stop() == 0


def test_a_drill_leaves_by_no_webhook(broker: Broker, database: Database, tmp_path: Path) -> None:
    with Listening() as duty:
        webhooks = tmp_path / "webhooks.toml"
        webhooks.write_text(f"[[webhook]]\nname = 'duty'\nurl = {duty.url!r}\nsecret = {SECRET!r}\n")
        with City(broker, database, tmp_path, settings={"webhooks": str(webhooks)}) as city:
            city.set_plan()
            city.start("w1")
            actor = {"name": "112", "role": "operator"}
            for number, drill in enumerate((True, False)):
                report = {"category": "0405", "text": "积水", "drill": drill, "lon": 120.8, "lat": 29.6}
                said = {"id": f"r{number}", "actor": actor, "report": report}
                city.write(city.topics.commands, [(None, None, json.dumps(said).encode(), None)])
            city.until(lambda: len(city.cases()) == 2, "two cases")
            city.until(lambda: len(city.records(city.topics.cases)) == 2 and duty.posts, "one post")
            (real,) = [case["id"] for case in city.cases() if not case["drill"]]
            assert {case for case, _ in duty.messages()} == {real}


def test_ticks_come_from_one_worker_and_another_takes_over(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path, partitions=3) as city:
        city.set_plan()
        for name in ("w1", "w2"):
            city.start(name)
        first = city.owner("ticks")

        def ticks() -> list[int]:
            return [row.t_ms for row in city.records(city.topics.readings) if row.key == "#tick" and not row.partition]

        city.until(lambda: len(ticks()) >= 5, "ticks")
        gaps = [b - a for a, b in zip(ticks(), ticks()[1:], strict=False)][-3:]
        assert min(gaps) > 400, "two workers write ticks"
        first.kill()
        second = city.owner("ticks")
        assert second.name != first.name
        at = now_ms()
        city.until(lambda: sum(t > at for t in ticks()) >= 3, "ticks of the other worker")
        city.settle()


def test_another_plan_while_workers_run(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        city.start("w1")
        city.start("w2")
        city.feed([city.reading(f"DL-{n}", "drain.level", 95) for n in (1, 2, 3, 4)])
        city.feed([city.reading("GM-1", "gas.methane", 40)])
        city.until(lambda: len(city.changes()) >= 4, "four alerts")
        city.write_rules(yellow=85, version=2)
        assert "flood.drain_watch: changed" in city.run("plan", "set", "--dry-run").said
        city.settle()
        assert all(rows[-1]["change"] != "cleared" for rows in city.changes().values())
        city.set_plan()
        city.settle()
        ended = [rows for rows in city.changes().values() if rows[-1]["change"] == "cleared"]
        assert {(rows[-1]["rule"], rows[-1]["cause"]) for rows in ended} == {("flood.drain_watch", "plan")}
        assert len(ended) == 4
        city.feed([city.reading("DL-1", "drain.level", 87)])
        city.settle()
        (raised,) = [rows for rows in city.changes().values() if rows[0]["value"] == 87]
        assert raised[0]["plan"] == city.plan().short
        assert city.recomputed() == []
        assert "in force" in city.run("plan", "list").said
        assert "flood.drain_watch" in city.run("plan", "show").said


def test_workers_come_and_go_and_nothing_is_lost_or_double(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path, partitions=6) as city:
        city.set_plan()
        gas, drains = [f"GM-{n}" for n in (1, 2, 3, 4)], [f"DL-{n}" for n in (1, 2, 3, 4)]
        city.start("w1")

        def feed(round_: int) -> None:
            value = (40, 120, 70)[round_ % 3]
            city.feed([city.reading(name, "drain.level", value + n) for n, name in enumerate(drains)])
            city.feed([city.reading(name, "gas.methane", value + n) for n, name in enumerate(gas)])

        feed(0)
        city.start("w2")
        feed(1)
        city.start("w3")
        feed(2)
        city.owner("casework").kill()
        feed(3)
        next(worker for worker in city.workers.values() if worker.alive).stop()
        feed(4)
        city.start("w4")
        feed(5)
        city.settle()
        assert city.changes() == city.expected()
        assert city.recomputed() == []
        rows = city.records(city.topics.cases)
        ids = list(dict.fromkeys(row.said["id"] for row in rows))
        assert in_order([(name.rpartition(":")[0], int(name.rpartition(":")[2])) for name in ids])


@pytest.mark.parametrize("number", range(3))
def test_casework_killed_at_any_moment_goes_on_elsewhere(
    broker: Broker, database: Database, tmp_path: Path, number: int
) -> None:
    point = ("casework.before_commit:3", "casework.after_commit:3", "relay.after_publish:2")[number]
    with City(broker, database, tmp_path, partitions=2) as city:
        city.set_plan()
        first = city.start("w1", TONGGUAN_CRASH_AT=point)
        city.start("w2", wait=False)
        for round_ in range(6):
            city.feed([city.reading(f"DL-{n}", "drain.level", (120, 50)[round_ % 2]) for n in (1, 2, 3, 4)])
            if round_ < 3:  # what comes in one go is one commit and one message
                city.settle()
        city.until(lambda: not first.alive, "the first worker dies")
        assert city.owner("casework").name == "w2"
        city.settle()
        assert city.changes() == city.expected()
        assert city.recomputed() == []
        rows = city.records(city.topics.cases)
        assert len({row.said["id"] for row in rows}) <= len(rows)
        ids = list(dict.fromkeys(row.said["id"] for row in rows))
        assert in_order([(name.rpartition(":")[0], int(name.rpartition(":")[2])) for name in ids])
