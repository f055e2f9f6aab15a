"""How the process is: health, readiness, metrics, figures for the page."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from engine.api.gate import Gate
from engine.api.guard import actor, desk
from engine.api.metrics import exposition
from engine.api.problems import answer
from engine.api.routes.login import who_is
from engine.api.services import Health, Services, Settings

PLAIN = {"cache-control": "no-store"}


def health_answer(health: Health) -> Response:
    """Return 200 while every thread that must live does, else 503."""
    alive = health.alive()
    body = b'{"status":"ok"}' if alive else b'{"status":"failed"}'
    return Response(body, 200 if alive else 503, PLAIN, "application/json")


def ready_answer(health: Health) -> Response:
    """Return 200 when readings and moves are taken, else 503 with the reasons."""
    status = health.status()
    ready = status.ready and health.alive()
    body = msgspec.json.encode({"status": "ready" if ready else "not_ready", "reasons": status.reasons})
    return Response(body, 200 if ready else 503, PLAIN, "application/json")


def metrics_answer(registry: CollectorRegistry) -> Response:
    """Return the metrics as text."""
    body, content_type = exposition(registry)
    return Response(body, headers={**PLAIN, "content-type": content_type})


def add_routes(router: APIRouter) -> None:
    """Add health, readiness, metrics, and what the page asks about the process and the caller."""

    @router.get("/healthz", tags=["state"], response_class=Response)
    def healthz(request: Request) -> Response:
        """200 while the process lives."""
        return health_answer(desk(request).services.health)

    @router.get("/readyz", tags=["state"], response_class=Response)
    def readyz(request: Request) -> Response:
        """200 when readings and moves are taken, 503 with reasons when not."""
        return ready_answer(desk(request).services.health)

    @router.get("/metrics", tags=["state"], response_class=Response)
    def metrics(request: Request) -> Response:
        """Prometheus metrics; open to this machine, else for admin and auditor."""
        return metrics_answer(desk(request).services.registry)

    @router.get("/api/v1/status", tags=["state"])
    def status(request: Request) -> dict[str, Any]:
        """How far the engine is: its clock, what waits, what it refuses to pass over; the city and its time zone.

        Counts of cases and alerts are for callers of the whole city.
        """
        services = desk(request).services
        caller = actor(request)
        known = msgspec.to_builtins(services.health.status())
        if known["counts"] is None:
            del known["counts"]
        told = {
            **known,
            "now_ms": services.now_ms(),
            "city": services.layers.name(),
            "tz": services.tz,
            "bounds": services.layers.bounds(),
        }
        if not caller.area and caller.department is None:
            counts = services.casework.counts()
            told["cases"] = msgspec.to_builtins(counts.cases)
            told["alerts"] = msgspec.to_builtins(counts.alerts)
        return told

    @router.get("/api/v1/me", tags=["state"])
    def me(request: Request) -> dict[str, Any]:
        """Who the caller is."""
        return who_is(actor(request))


def metrics_app(services: Services) -> Starlette:
    """Return the small app for the listener of metrics and health (loopback, 9464); nobody signs in there."""
    return health_app(services.registry, services.health, services.settings)


def health_app(registry: CollectorRegistry, health: Health, settings: Settings) -> Starlette:
    """Return the same for a process that has no API of its own: a worker, a bridge."""
    return Starlette(
        routes=[
            Route("/metrics", lambda _request: metrics_answer(registry), methods=["GET"]),
            Route("/healthz", lambda _request: health_answer(health), methods=["GET"]),
            Route("/readyz", lambda _request: ready_answer(health), methods=["GET"]),
        ],
        middleware=[Middleware(Gate, settings=settings)],
        exception_handlers={HTTPException: answer, Exception: answer},
    )
