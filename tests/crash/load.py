"""Load on a running engine by clients that keep what was acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field

import httpx

FRAME = 12


@dataclass
class Ledger:
    """What the engine said it has, over all lives. `uncertain` was sent and not answered."""

    acknowledged: set[str] = field(default_factory=set)
    uncertain: set[str] = field(default_factory=set)
    moves: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Poster(threading.Thread):
    """Posts frames of readings as fast as they are taken, until the engine is gone."""

    numbers = itertools.count()

    def __init__(self, url: str, token: str, ledger: Ledger, unique: str) -> None:
        super().__init__(daemon=True)
        self._client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30)
        self._ledger = ledger
        self._unique = unique
        self.cut_off = False

    def run(self) -> None:
        for n in itertools.count():
            frame = self._frame(n)
            marks = {reading["attrs"]["mark"] for reading in frame}  # type: ignore[index]
            try:
                answer = self._client.post("/api/v1/readings", json=frame)
            except httpx.TransportError:
                with self._ledger.lock:
                    self._ledger.uncertain |= marks
                self.cut_off = True
                return
            if answer.status_code == 200:
                assert answer.json() == {"accepted": FRAME, "rejected": []}, answer.text
                with self._ledger.lock:
                    self._ledger.acknowledged |= marks
            else:
                assert answer.status_code in (429, 503), answer.text

    def _frame(self, n: int) -> list[dict[str, object]]:
        now = time.time_ns() // 1_000_000
        frame = []
        for place in range(FRAME):
            # the first frame floods twelve sensors, each tenth one another; each opens a case
            sensor = f"{self._unique}-{FRAME + n // 10 if n % 10 == 1 and place == 0 else place}"
            value = 2 if (n + 3 * place) % 17 == 16 else 60 if (n + place) % 7 else 20
            mark = f"{self._unique}/{next(self.numbers)}"
            frame.append({"sensor": sensor, "kind": "water.level", "t": now, "v": value, "attrs": {"mark": mark}})
        return frame


class Mover(threading.Thread):
    """Starts and finishes the cases that were dispatched, as a department does."""

    def __init__(self, url: str, token: str, ledger: Ledger) -> None:
        super().__init__(daemon=True)
        self._client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30)
        self._ledger = ledger

    def run(self) -> None:
        try:
            while True:
                for state, move in (("dispatched", "start"), ("handling", "finish")):
                    found = self._client.get("/api/v1/cases", params={"state": state, "limit": 5})
                    for case in found.json()["cases"] if found.status_code == 200 else []:
                        self._move(case["id"], case["version"], move)
        except httpx.TransportError:
            return

    def _move(self, case: str, version: int, move: str) -> None:
        answer = self._client.post(
            f"/api/v1/cases/{case}/moves",
            json={"move": move, "note": "已到场"},
            headers={"if-match": f'"{version}"', "idempotency-key": f"{case}-{move}-{version}"},
        )
        assert answer.status_code in (200, 409, 412, 503), answer.text
        if answer.status_code == 200:
            with self._ledger.lock:
                self._ledger.moves.add((case, f"{case}-{move}-{version}"))
