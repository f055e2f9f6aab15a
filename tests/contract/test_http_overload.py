"""When there is no room, and when there is no disk: callers are told when to come back, and nothing half is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.api.services import Settings
from engine.api.stream import EventStream
from engine.runtime.embedded import Limits
from tests.town import DRAIN_EAST, Town, now_ms, open_town

READINGS = "/api/v1/readings"


def send(town: Town) -> tuple[int, str, str | None]:
    body = [{"sensor": DRAIN_EAST, "kind": "drain.level", "t": now_ms(), "v": 20}]
    with town.client("sensor") as client:
        answer = client.post(READINGS, json=body)
    return answer.status_code, answer.json().get("code", ""), answer.headers.get("retry-after")


def test_readings_beyond_what_detect_can_hold_are_put_off_and_not_kept(tmp_path: Path) -> None:
    with open_town(tmp_path, limits=Limits(backlog_bytes=-1)) as town:
        before = town.readings_stored()
        status, code, retry = send(town)
        assert (status, code) == (429, "overloaded")
        assert retry is not None
        assert int(retry) >= 1
        assert town.readings_stored() == before


def test_bodies_beyond_the_memory_for_them_are_put_off(tmp_path: Path) -> None:
    with open_town(tmp_path, Settings(intake_limit_bytes=10)) as town:
        assert send(town) == (429, "overloaded", "1")
        with town.client("sensor") as client:
            assert client.post(READINGS, json=[]).status_code == 200, "what fits is still taken"


def test_without_a_log_to_write_readings_are_refused_and_the_process_says_so(tmp_path: Path) -> None:
    with open_town(tmp_path) as town:
        assert send(town)[0] == 200
        town.engine.stop()
        status, code, retry = send(town)
        assert (status, code, retry) == (503, "unavailable", "5")


@pytest.mark.parametrize("taken", [0, 3])
def test_a_stream_whose_reader_takes_nothing_more_is_cut_off(taken: int) -> None:
    ended = []

    async def endless() -> Any:
        try:
            while True:
                yield b"data: 1\n\n"
        finally:
            ended.append(True)

    async def run() -> int:
        sent = 0

        async def send(message: dict[str, Any]) -> None:
            nonlocal sent
            if message["type"] == "http.response.body":
                if sent == taken:
                    await asyncio.Event().wait()
                sent += 1

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        await EventStream(endless(), send_timeout_s=0.05)({"type": "http"}, receive, send)
        return sent

    assert asyncio.run(run()) == taken
    assert ended == [True], "what fed the stream must be closed"
