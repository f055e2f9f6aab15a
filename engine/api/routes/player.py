"""The demo's player: how fast the simulated city runs, and making it stand, go on, hurry and jump."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.api.guard import desk
from engine.api.problems import Problem
from engine.api.services import PlayerView, Playing

SLOWEST, FASTEST = 0.1, 3600.0
FURTHEST_MS = 366 * 86_400_000


class PlayerBody(BaseModel):
    """One wish: `pause`, `resume`, another `speed` (times faster than life), or a `jump` to a moment in ms."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pause: Literal[True] | None = None
    resume: Literal[True] | None = None
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST, allow_inf_nan=False)] | None = None
    jump: Annotated[int, Field(ge=0, lt=1 << 52)] | None = None

    @model_validator(mode="after")
    def _one_wish(self) -> PlayerBody:
        if len(self.model_fields_set) != 1 or all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("must be one of pause, resume, speed and jump")
        return self


def _player(request: Request) -> Playing:
    player = desk(request).services.player
    if player is None:
        raise Problem(404, "no_player", "nothing is played here: the clock is that of life")
    return player


def _answer(view: PlayerView) -> Response:
    return Response(msgspec.json.encode(view), 200, {"cache-control": "no-store"}, "application/json")


def _jump(player: Playing, to_ms: int) -> None:
    now = player.view().now
    if to_ms < now:
        raise Problem(409, "no_way_back", "the log goes forward only; another seed or --fresh begins anew")
    if to_ms > now + FURTHEST_MS:
        raise Problem(422, "too_far", "at most a year ahead")
    player.jump(to_ms)


def add_routes(router: APIRouter) -> None:
    """Add the player."""

    @router.get("/api/v1/player", tags=["demo"], response_class=Response)
    def player(request: Request) -> Response:
        """How the simulated city is played: scenario, speed, the moment it has come to. 404 where life is the clock."""
        return _answer(_player(request).view())

    @router.post("/api/v1/player", tags=["demo"], response_class=Response)
    def play(request: Request, body: PlayerBody) -> Response:
        """Make the player stand, go on, run at another speed, or hurry to a later moment; nothing is left out."""
        player = _player(request)
        if body.pause:
            player.pause()
        elif body.resume:
            player.resume()
        elif body.speed is not None:
            player.run_at(body.speed)
        elif body.jump is not None:
            _jump(player, body.jump)
        return _answer(player.view())
