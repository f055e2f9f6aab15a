"""The peers' job in Pathway: JSON rows from Kafka, a stateful reducer per sensor, its changes to Kafka."""

import os

import pathway as pw
from levels import Reading, State, see


class ReadingRow(pw.Schema):
    sensor: str | None = pw.column_definition(default_value=None)
    kind: str
    t: int
    v: float = pw.column_definition(default_value=0.0)
    lon: float | None = pw.column_definition(default_value=None)
    lat: float | None = pw.column_definition(default_value=None)


Told = tuple[str, str | None, str | None, int, int | None, float, float | None, float | None]
Kept = tuple[int, int, int, int, int, str, tuple[Told, ...]]


@pw.reducers.stateful_many
def judged(kept: Kept | None, rows: list[tuple[list, int]]) -> Kept | None:
    """Step one sensor by a minibatch: its state, its kind, its changes; None for one with nothing going on."""
    state = None if kept is None else State(*kept[:5])
    changes = []
    if len(rows) > 1:
        rows.sort(key=lambda row: row[0][1])
    for (kind, t, v, lon, lat), _ in rows:
        state, change = see(state, Reading(kind, t, None, v, lon, lat))
        if change is not None:
            changes.append((change.change, change.level, change.previous, t, change.since, v, lon, lat))
    if state is None:
        if not changes:
            return None
        state = State()
    return (state.level, state.yellow, state.orange, state.red, state.clear, kind, tuple(changes))


settings = {
    "bootstrap.servers": os.environ["PEER_BROKER"],
    "group.id": os.environ["PEER_GROUP"],
    "auto.offset.reset": "earliest",
    "fetch.message.max.bytes": str(4 << 20),
}
readings = pw.io.kafka.read(
    settings,
    topic=os.environ["PEER_INPUT"],
    format="json",
    schema=ReadingRow,
)
this = pw.this
sensors = (
    readings.filter(this.sensor.is_not_none())
    .groupby(this.sensor)
    .reduce(this.sensor, kept=judged(this.kind, this.t, this.v, this.lon, this.lat))
    .filter(this.kept.is_not_none())
)
told = sensors.select(this.sensor, kind=this.kept[5], told=this.kept[6]).flatten(this.told)
changes = told.select(
    this.sensor, this.kind,
    change=this.told[0], level=this.told[1], previous=this.told[2], t=this.told[3],
    since=this.told[4], value=this.told[5], lon=this.told[6], lat=this.told[7],
)  # fmt: skip
pw.io.kafka.write(
    changes,
    {"bootstrap.servers": os.environ["PEER_BROKER"], "linger.ms": "100", "compression.type": "lz4"},
    os.environ["PEER_OUTPUT"],
    format="json",
    sort_by=[changes.t],
)

if __name__ == "__main__":
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
