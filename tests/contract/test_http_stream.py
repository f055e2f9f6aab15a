"""The stream of case events: in order, resumed with no gap and no repeat, filtered, and limited to its caller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.api.services import Settings
from engine.casework.trimming import let_go
from tests.town import DRAIN_EAST, DRAIN_WEST, EAST, GAS_WEST, WEST, Town, now_ms, open_town

STREAM = "/api/v1/stream"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town"), Settings(heartbeat_s=0.2, streams_limit=3)) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(DRAIN_WEST, "drain.level", 95)
        yield running


def listen(client: httpx.Client, count: int, *, after: int | None = None, **params: str) -> list[dict[str, Any]]:
    """Return `count` events of a stream, as `{"id": …, "event": …, **data}`; then hang up."""
    headers = {} if after is None else {"last-event-id": str(after)}
    found: list[dict[str, Any]] = []
    with client.stream("GET", STREAM, params=params, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                found.append({"position": int(fields["id"]), "type": fields["event"], **json.loads(fields["data"])})
                fields = {}
                if len(found) == count:
                    break
            else:
                fields = {}
    return found


def comment(town: Town, sensor: str, note: str) -> None:
    case = town.case_of(sensor)
    with town.client("operator") as client:
        headers = {"if-match": f'"{case["version"]}"', "idempotency-key": note}
        answer = client.post(
            f"/api/v1/cases/{case['id']}/moves", json={"move": "comment", "note": note}, headers=headers
        )
    assert answer.status_code == 200, answer.text
    town.settle()


def test_every_event_from_the_beginning_comes_once_and_in_order(town: Town) -> None:
    last = town.services.relay.last()
    with town.client("viewer") as client:
        events = listen(client, last, after=0)
    assert [event["position"] for event in events] == list(range(1, last + 1))
    assert len({event["id"] for event in events}) == last
    for case in {event["case"]["id"] for event in events}:
        seqs = [event["event"]["seq"] for event in events if event["case"]["id"] == case]
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_stream_that_is_cut_anywhere_goes_on_where_it_was(town: Town) -> None:
    for number in range(6):
        comment(town, DRAIN_EAST, f"cut-{number}")
    last = town.services.relay.last()
    with town.client("viewer") as client:
        whole = [event["id"] for event in listen(client, last, after=0)]
        pieces: list[str] = []
        position = 0
        while len(pieces) < len(whole):
            part = listen(client, min(2, len(whole) - len(pieces)), after=position)
            pieces += [event["id"] for event in part]
            position = part[-1]["position"]
    assert pieces == whole


def test_an_event_that_happens_while_one_listens_arrives(town: Town) -> None:
    with town.client("viewer") as client, client.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        comment(town, DRAIN_WEST, "live")
        for line in lines:
            if line.startswith("data: "):
                break
    assert json.loads(line.removeprefix("data: "))["event"]["note"] == "live"


def test_a_caller_of_one_area_is_sent_only_its_events(town: Town) -> None:
    comment(town, DRAIN_EAST, "east")
    comment(town, DRAIN_WEST, "west")
    last = town.services.relay.last()
    with town.client("viewer") as client:
        everything = listen(client, last, after=0)
    for area in (EAST, WEST):
        expected = [event["id"] for event in everything if event["case"]["grid"].startswith(area)]
        with town.client("viewer", area=area) as client:
            assert [event["id"] for event in listen(client, len(expected), after=0)] == expected


def test_filters_are_those_of_lists(town: Town) -> None:
    town.read(GAS_WEST, "gas.methane", 60)
    with town.client("viewer") as client:
        everything = listen(client, town.services.relay.last(), after=0)
        gas = [event["id"] for event in everything if event["case"]["department"] == "gas"]
        assert [event["id"] for event in listen(client, len(gas), after=0, department="gas")] == gas
        red = [event["id"] for event in everything if event["case"]["level"] == "red"]
        assert [event["id"] for event in listen(client, len(red), after=0, level="red", open="true")] == red
        assert client.get(STREAM, params={"level": "purple"}).status_code == 400


def test_a_position_that_was_never_given_is_told_to_load_anew(town: Town) -> None:
    with town.client("viewer") as client:
        (event,) = listen(client, 1, after=town.services.relay.last() + 1000)
    assert (event["type"], event["position"]) == ("reset", town.services.relay.last())


def test_silence_is_kept_alive_and_a_filtered_stream_still_moves_on(town: Town) -> None:
    comment(town, DRAIN_EAST, "filtered-away")
    last = town.services.relay.last()
    with (
        town.client("viewer") as client,
        client.stream("GET", STREAM, params={"q": "nothing"}, headers={"last-event-id": "0"}) as answer,
    ):
        seen = []
        for line in answer.iter_lines():
            seen.append(line)
            if line == ": heartbeat":
                break
    assert f"id: {last}" in seen
    assert not any(line.startswith("data") for line in seen)


def test_a_ticket_opens_one_stream(town: Town) -> None:
    with town.client("viewer") as client:
        answer = client.post("/api/v1/stream/ticket").json()
    assert answer["expires_in_s"] == 60
    with town.client(None) as stranger:
        params = {"ticket": answer["ticket"], "after": "0"}
        assert listen(stranger, 1, **params)
        again = stranger.get(STREAM, params=params)
    assert (again.status_code, again.json()["code"]) == (401, "not_signed_in")


def test_a_stream_ends_when_its_token_is_revoked(town: Town) -> None:
    from engine.casework.tokens import list_tokens, revoke_token

    with town.client("auditor", WEST) as client, client.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        number = next(one.id for one in list_tokens(town.engine.store) if one.name == f"auditor-{WEST}-None")
        assert revoke_token(town.engine.store, number, now_ms=1)
        assert ": heartbeat" in list(lines), "the stream must end by itself"


def test_more_streams_than_there_is_room_for_are_put_off(town: Town) -> None:
    with (
        town.client("viewer") as client,
        client.stream("GET", STREAM) as one,
        client.stream("GET", STREAM) as two,
        client.stream("GET", STREAM) as three,
    ):
        lines = [answer.iter_lines() for answer in (one, two, three)]
        assert all(next(each).startswith("retry:") for each in lines)
        refused = client.get(STREAM)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
        429,
        "too_many_streams",
        "10",
    )


def test_a_position_that_is_no_longer_kept_is_told_so_once_and_goes_on_from_the_oldest_that_is(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with open_town(tmp_path_factory.mktemp("trimmed")) as town:
        town.read(DRAIN_EAST, "drain.level", 95)
        for number in range(5):
            comment(town, DRAIN_EAST, f"trimmed-{number}")
        last = town.services.relay.last()
        assert let_go(town.engine.store, 3, now_ms=now_ms(), keep_ms=0) == 3
        with town.client("viewer") as client:
            for gone in (0, 2):
                reset, *kept = listen(client, last - 2, after=gone)
                assert (reset["type"], reset["position"], reset["reason"]) == ("reset", 3, "position_not_kept")
                assert [event["position"] for event in kept] == list(range(4, last + 1))
            on = listen(client, last - 3, after=reset["position"])
            assert [(event["type"], event["position"]) for event in on] == [("case", at) for at in range(4, last + 1)]
