"""Fires: something smoulders, smoke gathers under the ceiling, flames grow with the square of time, water ends it.

The room is a stirred tank for soot (g/m³); its obscuration is 100 (1 - exp(-K m)) % a metre, K from soot's specific
extinction. The hot layer follows McCaffrey, Quintiere and Harkleroad: 6.85 (Q² / (A√H · h·A_T))^(1/3). What is on fire
(a battery, a joint of a cable) is itself hot before anything is to be seen. Engines draw their water from hydrants.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.part import Eyes, Floats, Glance, Part, Sights, Thing, Told, nearest_of, row
from simulators.scenario import Fire, draw
from simulators.streams import stream

ANCHOR = {"room": "fire.heat", "charging": "fire.charge_temperature", "cable": "fire.cable_temperature"}
WORDS = {"room": ("厨房", "a kitchen"), "charging": ("锂电池充电点", "a charging place"), "cable": ("电缆", "a cable")}
EXTINCTION_M2_G = 6.0
SOOT_G_KJ = 0.0008
OPENING, WALLS = 2.0, 3.0
"""A√H in m^2.5, and h·A_T in kW/K, of a room with an open door."""
LAYER_LAG_S, COOLS_S, DIES_S = 40.0, 240.0, 90.0
SMOKE_M, HEAT_M, HYDRANT_M = 12.0, 6.0, 350.0
SMOKE_SIZE_G_S, FLAME_SIZE_KW = 0.03, 250.0
OWN_FLAMES_K = {"room": 0.0, "charging": 320.0, "cable": 150.0}
FIGHTS_MS = 18 * 60_000
SHOWN_M = 250.0
"""A fire is where a camera on a mast may see it, if there is such a place."""


@dataclass(slots=True)
class Burning:
    """One fire as the seed drew it, and how it stands: soot g/m³, heat kW, the layer's and its own warmth in K."""

    what: str
    site: str
    x: float
    y: float
    begins_ms: float
    flames_ms: float
    out_ms: float
    peak_kw: float
    growth_kw_s2: float
    smoulder_g_s: float
    room_m3: float
    air_changes_h: float
    warms_k: float
    draws_mpa: float
    soot_g_m3: float = 0.0
    heat_kw: float = 0.0
    layer_k: float = 0.0
    own_k: float = 0.0
    soot_g_s: float = 0.0
    worst: float = 0.0

    def step(self, story_ms: float, seconds: float) -> None:
        """Burn on."""
        smoulders = self.flames_ms - self.begins_ms
        share = min(max((story_ms - self.begins_ms) / smoulders, 0.0), 1.0) if story_ms < self.out_ms else 0.0
        if self.flames_ms <= story_ms < self.out_ms:
            self.heat_kw = min(self.growth_kw_s2 * ((story_ms - self.flames_ms) / 1_000.0) ** 2, self.peak_kw)
        else:
            self.heat_kw *= float(np.exp(-seconds / DIES_S))
        self.soot_g_s = self.smoulder_g_s * share**2 + SOOT_G_KJ * self.heat_kw
        changes_h = self.air_changes_h * (4.0 if story_ms >= self.out_ms else 1.0)
        self.soot_g_m3 += seconds * (self.soot_g_s / self.room_m3 - changes_h / 3_600.0 * self.soot_g_m3)
        self.soot_g_m3 = max(self.soot_g_m3, 0.0)
        hot = 6.85 * (self.heat_kw**2 / (OPENING * WALLS)) ** (1 / 3) + 6.0 * share
        lag = LAYER_LAG_S if hot > self.layer_k else COOLS_S
        self.layer_k += (hot - self.layer_k) * -float(np.expm1(-seconds / lag))
        flames = OWN_FLAMES_K[self.what] * min(self.heat_kw / 50.0, 1.0)
        self.own_k += (self.warms_k * share**3 + flames - self.own_k) * -float(np.expm1(-seconds / 60.0))
        self.worst = max(self.worst, self.obscuration())

    def obscuration(self) -> float:
        """Return the smoke in the room, % a metre."""
        return 100.0 * -float(np.expm1(-EXTINCTION_M2_G * self.soot_g_m3))


class Fires(Part):
    """All fires of a scenario, and the detectors around them."""

    about = "fire"
    touches = ("fire.smoke", "fire.heat", "fire.hydrant_pressure", *ANCHOR.values())

    def __init__(self, fires: Sequence[Fire], seed: int, eyes: Eyes, at: dict[str, int]) -> None:
        """`at`: where a cable burns, if something before has chosen it: a position within a kind."""
        self.burning: list[Burning] = []
        self._eyes = eyes
        for number, fire in enumerate(fires):
            found = _lit(fire, number, seed, eyes, at)
            if found is not None:
                self.burning.append(found)
        kinds = ("fire.smoke", "fire.heat", *ANCHOR.values())
        self._away = {kind: self._metres(kind) for kind in kinds if kind in eyes}
        if "fire.hydrant_pressure" in eyes and self.burning:
            self._away["fire.hydrant_pressure"] = self._from_nearest("fire.hydrant_pressure")

    def _from_nearest(self, kind: str) -> Floats:
        """Return how far each sensor is from the one that is nearest to each fire: there the engines stand."""
        eye = self._eyes[kind]
        nearest = np.argmin(self._metres(kind), axis=0)
        x, y = eye.x[nearest], eye.y[nearest]
        return np.asarray(np.hypot(eye.x[:, None] - x, eye.y[:, None] - y), dtype=np.float64)

    def _metres(self, kind: str) -> Floats:
        """Return how far each sensor is from each fire, float64[sensors, fires]."""
        x, y = np.array([(b.x, b.y) for b in self.burning]).reshape(-1, 2).T
        eye = self._eyes[kind]
        return np.asarray(np.hypot(eye.x[:, None] - x, eye.y[:, None] - y), dtype=np.float64)

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Let everything burn on."""
        for burning in self.burning:
            if story_ms >= burning.begins_ms:
                burning.step(story_ms, dt_ms / 1_000.0)

    def see(self, glance: Glance) -> None:
        """Add smoke, heat and the warmth of what burns; take the engines' water."""
        if not self.burning or glance.kind not in self._away:
            return
        away = self._away[glance.kind][glance.position]
        if glance.kind == "fire.smoke":
            soot = np.exp(-((away / SMOKE_M) ** 2)) @ np.array([b.soot_g_m3 for b in self.burning])
            smoke = 100.0 * -np.expm1(-EXTINCTION_M2_G * soot) * glance.gain
            glance.v = np.minimum(glance.v + smoke, 99.9)
        elif glance.kind == "fire.heat":
            glance.v += glance.gain * (np.exp(-((away / HEAT_M) ** 2)) @ np.array([b.layer_k for b in self.burning]))
        elif glance.kind == "fire.hydrant_pressure":
            taken = np.array([b.draws_mpa * (b.out_ms - FIGHTS_MS <= glance.story_ms < b.out_ms + FIGHTS_MS / 3)
                              for b in self.burning])  # fmt: skip
            glance.v = np.maximum(glance.v - np.exp(-((away / HYDRANT_M) ** 2)) @ taken, 0.0)
        else:
            own = np.array([b.own_k if ANCHOR[b.what] == glance.kind else 0.0 for b in self.burning])
            glance.v += glance.gain * (np.exp(-((away / HEAT_M) ** 2)) @ own)

    def things(self) -> Sequence[Thing]:
        """Return smoke and flames, as big as they are."""
        seen = [Thing("video.flame", b.x, b.y, min(b.heat_kw / FLAME_SIZE_KW, 4.0)) for b in self.burning]
        return seen + [Thing("video.smoke", b.x, b.y, min(b.soot_g_s / SMOKE_SIZE_G_S, 4.0)) for b in self.burning]

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return heat, smoke and warmth of every fire."""
        rows: list[dict[str, Any]] = []
        for b in self.burning:
            if story_ms < b.begins_ms:
                continue
            for name, value in (
                ("fire.heat_kw", b.heat_kw),
                ("fire.smoke_percent_m", b.obscuration()),
                ("fire.layer_k", b.layer_k),
                ("fire.own_k", b.own_k),
                ("fire.soot_g_s", b.soot_g_s),
            ):
                rows.append(row(name, value, b.site, b.x, b.y, frame, 4) | {"what": b.what})
        return rows

    def sights(self) -> Sights | None:
        """Return the smoke that people outside smell and see."""
        return _sights(self.burning, [b.soot_g_s / SMOKE_SIZE_G_S + b.heat_kw / FLAME_SIZE_KW for b in self.burning])

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return the smoke in the rooms, % a metre."""
        if not self.burning:
            return None
        table = np.array([(b.x, b.y, b.obscuration(), b.worst) for b in self.burning]).T
        return table[0], table[1], table[2], table[3]

    def told(self) -> Iterable[Told]:
        """Tell when and where it begins, burns and ends."""
        for b in self.burning:
            zh, en = WORDS[b.what]
            yield Told(b.begins_ms, f"{b.site}附近{zh}开始阴燃，烟慢慢聚集。", f"{en} at {b.site} begins to smoulder.")
            flames = f"出现明火，最大约{b.peak_kw:.0f}千瓦。"
            yield Told(b.flames_ms, f"{b.site}{flames}", f"flames at {b.site}, up to {b.peak_kw:.0f} kW.")
            yield Told(b.out_ms, f"{b.site}的火被扑灭，开窗排烟。", f"the fire at {b.site} is put out and aired.")


def _sights(burning: Sequence[Burning], bad: Sequence[float]) -> Sights:
    x, y = np.array([(b.x, b.y) for b in burning]).reshape(-1, 2).T
    return Sights(x, y, np.array(bad, dtype=np.float64))


def _lit(fire: Fire, number: int, seed: int, eyes: Eyes, at: dict[str, int]) -> Burning | None:
    """Draw one fire beside a detector that can tell of it; None without one."""
    kind = ANCHOR[fire.what]
    if kind not in eyes:
        return None
    generator = stream(seed, f"fire{number}")
    eye = eyes[kind]
    pick, spread = float(generator.random()), generator.uniform(-2.5, 2.5, 2)
    choice = _in_sight(eyes, kind) if fire.what != "cable" else np.arange(len(eye.x))
    anchor = at.get(kind, int(choice[int(pick * len(choice))]))
    begins = draw(fire.begins_ms, generator)
    flames = begins + draw(fire.smoulders_ms, generator)
    return Burning(
        what=fire.what,
        site=eye.site(anchor),
        x=float(eye.x[anchor] + spread[0]),
        y=float(eye.y[anchor] + spread[1]),
        begins_ms=begins,
        flames_ms=flames,
        out_ms=flames + draw(fire.burns_ms, generator),
        peak_kw=draw(fire.peak_kw, generator),
        growth_kw_s2=draw(fire.growth_kw_s2, generator),
        smoulder_g_s=draw(fire.smoulder_g_s, generator),
        room_m3=draw(fire.room_m3, generator),
        air_changes_h=draw(fire.air_changes_h, generator),
        warms_k=draw(fire.warms_k, generator),
        draws_mpa=draw(fire.draws_mpa, generator),
    )


def _in_sight(eyes: Eyes, kind: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the sensors near which a camera would see a fire, else all."""
    eye, every = eyes[kind], np.arange(len(eyes[kind].x))
    for video in ("video.flame", "video.smoke"):
        if video in eyes:
            away = nearest_of(eye.x, eye.y, eyes[video].x, eyes[video].y)[1]
            near = every[away <= SHOWN_M]
            return near if len(near) else every[[int(np.argmin(away))]]
    return every
