"""Moves and reports of other systems, by city.commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.casework import schema
from tests.kafka.city import City
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(900)]


def command(name: str, role: str = "operator", **more: Any) -> dict[str, Any]:
    return {"id": name, "actor": {"name": "other system", "role": role}, **more}


def send(city: City, *commands: Any) -> None:
    """Write commands under the ids of their cases; bytes as they are."""
    rows = []
    for one in commands:
        value = one if isinstance(one, bytes) else json.dumps(one).encode()
        key = one.get("case", "-").encode() if isinstance(one, dict) else None
        rows.append((None, key, value, None))
    city.write(city.topics.commands, rows)


def done(city: City) -> int:
    with city.database.store.read() as db:
        return len(db.execute(select(schema.command)).all())


def test_commands_move_cases_as_people_do_and_what_cannot_be_done_is_kept(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        worker = city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.until(lambda: len(city.cases()) == 1, "a case")
        case = city.cases()[0]["id"]
        send(
            city,
            command("a", case=case, move="accept"),
            command("a", case=case, move="accept"),
            command("b", case=case, move="close"),
            command("c", case=case, move="accept", version=77),
            b"not json",
            command("d", role="system", case=case, move="file"),
            command("e", case=case),
            command("f", case=case, move="file", args={"note": "立案"}, t=1),
            command("g", report={"category": "0405", "text": "井盖冒水", "lon": 120.8, "lat": 29.6}),
            command("h", report={"category": "9999"}),
        )
        city.until(lambda: len(city.cases()) == 2, "the report")
        city.until(lambda: sum(worker.metrics()[f'commands_total{{outcome="{o}"}}'] for o in OUTCOMES) == 10, "all")
        states = {row["id"]: (row["state"], row["version"]) for row in city.cases()}
        assert states[case] == ("filed", 3)
        kept = [row.said for row in city.records(city.topics.quarantine)]
        assert [row["reason"].partition(":")[0] for row in kept] == [
            *("refused", "refused", "malformed", "malformed", "malformed", "refused"),
        ]
        assert [(row["topic"], row["offset"]) for row in kept] == [("city.commands", n) for n in (2, 3, 4, 5, 6, 9)]
        assert kept[2]["raw"] == "not json"
        assert worker.metrics()['commands_total{outcome="done"}'] == 4
        city.settle()
        assert city.recomputed() == []


OUTCOMES = ("done", "refused", "malformed", "failed")


def test_commands_are_done_once_however_often_workers_are_killed(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        city.start("w1")
        city.start("w2")
        city.feed([city.reading(f"DL-{n}", "drain.level", 120) for n in (1, 2, 3, 4)])
        city.until(lambda: len(city.cases()) == 4, "four cases")
        cases = [case["id"] for case in city.cases()]
        for number in range(60):
            send(city, command(f"{number}", case=cases[number % 4], move="comment", args={"note": f"第{number}条"}))
            if number == 20:
                city.workers["w1"].kill()
            if number == 40:
                city.start("w3")
                city.workers["w2"].kill()
        city.until(lambda: done(city) == 60, "all are done")
        city.settle()
        with city.database.store.read() as db:
            columns = schema.case_event.c
            rows = db.execute(
                select(columns.case, columns.note).where(columns.move == "comment").order_by(columns.case, columns.seq)
            ).all()
        assert len(rows) == 60
        for case in cases:
            numbers = [int(row.note[1:-1]) for row in rows if row.case == case]
            assert numbers == sorted(numbers), "in order within a case"
        assert city.recomputed() == []
