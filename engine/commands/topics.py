"""`tongguan topics create | list`: the topics of a city on Kafka."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import TopicPartition

from engine.casework.store import Store, check_schema
from engine.clock import wall_clock_ms
from engine.commands.city_files import read_city
from engine.commands.run import told
from engine.runtime.config import Config, load
from engine.runtime.errors import Refused
from engine.runtime.kafka.accepted import agreed, readable
from engine.runtime.kafka.checkpoints import Checkpoints
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.fetching import begin_offsets, end_offsets
from engine.runtime.kafka.topics import Topics, describe, make, mend, wanted
from engine.runtime.retention import DAY_MS, rebuild_ms

app = typer.Typer(help="The topics of a city on Kafka.", no_args_is_help=True)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings; ./tongguan.toml if there is one.")]
Broker = Annotated[str | None, typer.Option(help="Kafka: host:port, several with commas.")]
Prefix = Annotated[str | None, typer.Option(help="Put before the name of every topic.")]


@app.command("create")
def create(
    config: ConfigFile = None,
    broker: Broker = None,
    database: Annotated[str | None, typer.Option(help="Also note there how many partitions the log has.")] = None,
    topic_prefix: Prefix = None,
    partitions: Annotated[int | None, typer.Option(help="Of city.readings, once and for all.")] = None,
    replication: Annotated[int | None, typer.Option(help="Copies of every record.")] = None,
    single_node: Annotated[bool | None, typer.Option("--single-node", help="One broker is meant: one copy.")] = None,
    log_time: Annotated[str | None, typer.Option(help="commit, or record on a player's clock.")] = None,
    rules: Annotated[str | None, typer.Option(help="Folder of rule files; the shipped ones if not given.")] = None,
) -> None:
    """Make the topics that are missing, and mend the settings of the others; as often as you like.

    city.readings is kept for `retention_age`, at least for the longest window, absence or hold of the rules and a day.

    Example: tongguan topics create --broker kafka1:9092,kafka2:9092 --partitions 32
    """
    flags = {key: value for key, value in locals().items() if key != "config"}
    with told():
        settings = load(config, os.environ, flags)
        asyncio.run(_create(settings))


async def _create(config: Config) -> None:
    connection = Connection.from_config(config)
    topics = wanted(config, least_ms=rebuild_ms(read_city(config).plan))
    if config.database:
        _agree(config, note=False)
    changed = await mend(connection, topics)
    made = await make(connection, topics)
    for topic in topics:
        if topic.name in made:
            typer.echo(f"{topic.name}: made, partitions {topic.partitions}, copies {topic.replication}")
    for change in changed:
        typer.echo(f"{change.topic}: {change.setting} was {change.was}, is {change.now}")
    if not made and not changed:
        typer.echo("every topic is there, as it must be")
    if config.database:
        _agree(config, note=True)


def _agree(config: Config, *, note: bool) -> None:
    """Refuse another number of partitions than the database knows; note it where it knows none."""
    with closing(Store.connect(config.database)) as store:
        check_schema(store)
        with store.read() as db:
            known, right = agreed(db), readable(db, config.partitions)
        if known is None and note:
            Checkpoints(store, "topics create", wall_clock_ms).agree(config.partitions, None)
    if not right:
        name = Topics(config.topic_prefix).readings
        raise Refused(
            f"{name}: the database knows a log of {known} partitions; got {config.partitions}. Sensors "
            "would move to partitions without their state: give the workers of this log a database of their own"
        )


@app.command("list")
def show(config: ConfigFile = None, broker: Broker = None, topic_prefix: Prefix = None) -> None:
    """Show the topics of the city: partitions, copies, how long they are kept, how many offsets are.

    Example: tongguan topics list --broker kafka1:9092
    """
    flags = {"broker": broker, "topic_prefix": topic_prefix}
    with told():
        settings = load(config, os.environ, flags)
        rows = asyncio.run(_listed(settings))
        wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            typer.echo("  ".join(text.ljust(width) for text, width in zip(row, wide, strict=True)).rstrip())


async def _listed(config: Config) -> list[tuple[str, ...]]:
    connection = Connection.from_config(config)
    names = Topics(config.topic_prefix).all()
    found = await describe(connection, names)
    places = [TopicPartition(name, one) for name, topic in found.items() for one in range(topic.partitions)]
    begins = await begin_offsets(connection, places) if places else {}
    ends = await end_offsets(connection, places) if places else {}
    rows: list[tuple[str, ...]] = [("topic", "partitions", "copies", "time", "kept", "offsets")]
    for name in names:
        if name not in found:
            rows.append((name, "-", "-", "-", "-", "not there: tongguan topics create"))
            continue
        topic = found[name]
        mine = [place for place in places if place.topic == name]
        offsets = sum(ends[place] - begins[place] for place in mine)
        time_of = topic.settings.get("message.timestamp.type", "")
        counts = (str(topic.partitions), str(topic.replication))
        rows.append((name, *counts, time_of, _kept(topic.settings), str(offsets)))
    return rows


def _kept(settings: Mapping[str, str]) -> str:
    if settings.get("cleanup.policy") == "compact":
        return "the last of each key"
    keep = int(settings.get("retention.ms", -1))
    return "for good" if keep < 0 else f"{keep / DAY_MS:.1f} d"
