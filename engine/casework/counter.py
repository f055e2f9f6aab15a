"""People's moves and reports, each in its own transaction, in the order in which they came."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from engine.casework import merging, moves
from engine.casework.clerk import Clerk
from engine.casework.desk import Desk, Episode, short_hash
from engine.casework.directory import Directory, category, known_categories
from engine.casework.errors import Refused
from engine.casework.model import LEVEL_OF, CaseState, Move, Note
from engine.casework.opening import open_case
from engine.casework.people import Actor, may, may_report, own_orders, visible
from engine.casework.schema import cases, command
from engine.casework.schema import report as report_table

KEY_LIMIT = 200
KEYLESS = "\t"  # begins the key that a request without one is noted under; a given key cannot begin so


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person reports. Category as in categories.yaml; lon, lat WGS-84 both or neither; `level` blue … red;
    `source` api, open311, 12345 or commands."""

    category: str
    text: str = ""
    lon: float | None = None
    lat: float | None = None
    grid: str | None = None
    level: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None
    source: str = "api"
    drill: bool = False
    photos: list[str] = []


class Counter:
    """One person's request at the desk. `position`: the alerts log's cursor; `c`: the time C; `directory`: of the plan
    that was named last."""

    def __init__(
        self, db: Connection, position: int, c: int | None, directory: Directory, reopen_ms: int, now_ms: int
    ) -> None:
        self.desk = Desk(db, now_ms)
        self.db = db
        self.clerk = Clerk(self.desk, position, c)
        self.directory = directory
        self.reopen_ms = reopen_ms

    # --- moves

    def move(
        self,
        case_id: str,
        move: str,
        actor: Actor,
        raw: Mapping[str, Any],
        expected_version: int | None,
        key: str | None,
        t_ms: int,
    ) -> CaseState:
        """Make a move, or find that this very request was already carried out."""
        kind = known_move(move)
        self.desk.load_cases([case_id])
        case = self.desk.cases.get(case_id)
        if case is None:
            raise Refused("no_such_case", 404, f"没有案件 {case_id[:40]}")
        request = digest({"case": case_id, "move": move, "args": dict(raw)})
        if self.done(actor, key, request) is not None:
            if not visible(actor, case).allowed:
                raise forbidden(visible(actor, case).reason)
            return case
        override = raw.get("override") is True
        decision = may(actor, kind, case, override=override)
        if not decision.allowed:
            raise forbidden(decision.reason)
        if expected_version is not None and expected_version != case.version:
            raise Refused("version_changed", 412, f"案件已有新的操作（版本 {case.version}），请刷新后再试")
        if not moves.fits(case, kind, own_orders(actor, case)):
            raise moves.not_now(case, kind)
        args = moves.parse_args(kind, raw)
        seq = case.seq + 1
        self._carry_out(case, kind, args, actor, t_ms)
        self.note(actor, key, request, case, seq, kind, dict(raw), t_ms)
        self.desk.flush()
        return case

    def _carry_out(self, case: CaseState, move: Move, args: moves.Args, actor: Actor, t_ms: int) -> None:
        data = moves.effect(case, move, args, actor, category(case.category).further)
        note = args.reason or args.note
        if move == Move.REOPEN:
            self._check_reopen(case, t_ms)
        if move == Move.MERGE:
            self._merge(case, str(args.into), actor, note, t_ms)
        elif move == Move.UNMERGE:
            self._unmerge(case, actor, note, t_ms)
        else:
            self.clerk.record(case, move, t_ms, actor=actor, note=note, data=data)
        if move in (Move.RESUME, Move.REOPEN):
            self.desk.load_keys(case.keys)
            self.desk.take_free_keys(case)

    def _check_reopen(self, case: CaseState, t_ms: int) -> None:
        if case.closed_t is None or t_ms - case.closed_t > self.reopen_ms:
            raise Refused("too_late", 409, f"结案已超过 {self.reopen_ms // 86_400_000} 天，不能重新启动")

    def _merge(self, case: CaseState, into: str, actor: Actor, note: str | None, t_ms: int) -> None:
        self.desk.load_cases([into])
        target = self.desk.cases.get(into)
        if target is None or not may(actor, Move.MERGE, target).allowed:
            raise Refused("no_such_case", 422, f"没有可并入的案件 {into[:40]}")
        if target.id == case.id or not target.is_open or target.drill != case.drill:
            raise Refused("cannot_merge", 409, "只能并入另一件未结案件，演练与真实案件不能互并")
        told = {name: getattr(case, name) for name in ("unproven", "cleared_t", "change_t")}
        told["alerts"] = dict(sorted(case.alerts.items()))
        keys = self.desk.keys_of(case.id)
        for episode in self.desk.load_episodes_of_case(case.id):
            episode.case = target.id
            self.desk.touch(episode)
        for key in keys:
            self.desk.keys[key] = target.id
        data = {"into": target.id, "keys": keys}
        self.clerk.record(case, Move.MERGE, t_ms, actor=actor, note=note, data=data)
        self.clerk.record(target, Note.ABSORBED, t_ms, actor=actor, data={"from": case.id, **told})

    def _unmerge(self, case: CaseState, actor: Actor, note: str | None, t_ms: int) -> None:
        holder = self._root(case)
        everything = self.desk.load_episodes_of_case(holder.id)
        own = self.desk.load_episodes_of_homes(self._gathered(case.id))
        left = {episode.signal for episode in everything if episode not in own}
        for episode in own:
            episode.case = case.id
            self.desk.touch(episode)
        alerts = {episode.id: episode.level for episode in own if episode.level}
        cleared = [episode.cleared_t for episode in own if episode.cleared_t is not None]
        data = {"from": holder.id, "alerts": alerts, "unproven": unproven(own), "cleared_t": max(cleared, default=None)}
        self.clerk.record(case, Move.UNMERGE, t_ms, actor=actor, note=note, data=data)
        signals = sorted({episode.signal for episode in own} - left)
        released = {"from": case.id, "alerts": sorted(alerts), "signals": signals}
        self.clerk.record(holder, Note.RELEASED, t_ms, actor=actor, data=released)
        self.desk.load_keys(case.keys)
        self.desk.take_free_keys(case, but=holder.id)
        self.clerk.settle(case)

    def _gathered(self, case_id: str) -> list[str]:
        """Return the case and all that were merged into it, directly or not."""
        found = [case_id]
        for at in found:
            merged = self.db.execute(select(cases.c.id).where(cases.c.merged_into == at).order_by(cases.c.id))
            found += [name for name in merged.scalars() if name not in found]
        return found

    def _root(self, case: CaseState) -> CaseState:
        while case.merged_into is not None:
            self.desk.load_cases([case.merged_into])
            case = self.desk.cases[case.merged_into]
        return case

    # --- reports

    def report(self, report: Report, actor: Actor, key: str | None, t_ms: int) -> CaseState:
        """Open a case for a report, or join it to the case that holds its key."""
        grid = _checked(report, self.directory)
        decision = may_report(actor, grid)
        if not decision.allowed:
            raise forbidden(decision.reason)
        plain = msgspec.to_builtins(report)
        request = digest({"report": plain})
        done = self.done(actor, key, request)
        if done is not None:
            self.desk.load_cases([done])
            return self.desk.cases[done]
        key = key or secrets.token_hex(16)
        case = self._joinable(report, grid, t_ms)
        photos = {"photos": report.photos} if report.photos else {}
        level = int(LEVEL_OF[report.level]) if report.level else 0
        told = {"source": report.source, "text": report.text, **photos}
        if case is not None:
            seq = case.seq + 1
            data = {"level": level, "report": told}
            self.clerk.record(case, Note.JOINED, t_ms, actor=actor, note=report.text or None, data=data)
        else:
            seq = 1
            case = self._open(report, grid, level, key, t_ms, actor, told)
        self._keep(report, grid, actor, case, key, t_ms)
        args = {name: value for name, value in plain.items() if not name.startswith("contact_")}
        self.note(actor, key, request, case, seq, Move.REPORT, args, t_ms)
        self.desk.flush()
        return case

    def _joinable(self, report: Report, grid: str | None, t_ms: int) -> CaseState | None:
        if grid is not None:
            found = merging.holder(self.desk, merging.grid_key(report.category, grid, report.drill), t_ms)
            if found is not None:
                return found
        metres = self.directory.near_metres(report.category)
        if metres is None or report.lon is None or report.lat is None:
            return None
        prefix = merging.near_prefix(report.category, report.drill)
        return merging.nearest(self.desk, prefix, report.lon, report.lat, metres, t_ms, None)

    def _open(
        self, report: Report, grid: str | None, level: int, key: str, t_ms: int, actor: Actor, told: dict[str, Any]
    ) -> CaseState:
        case_id = f"WO-{self.directory.local_date(t_ms)}-{short_hash(key)}"
        self.desk.load_cases([case_id])
        if case_id in self.desk.cases:
            raise Refused("key_taken", 409, "该 Idempotency-Key 已用于另一件案件")
        office = self.directory.office(grid)
        kind = category(report.category)
        keys = [merging.grid_key(report.category, grid, report.drill)] if grid else []
        if report.lon is not None and self.directory.near_metres(report.category) is not None:
            keys.append(merging.near_prefix(report.category, report.drill) + case_id)
        facts = {
            "title": kind.title,
            "category": report.category,
            "department": office.department,
            "merge_by": "grid",
            "grid": grid,
            "grid_name": office.name,
            "officer": office.officer,
            "names": office.names,
            "lon": report.lon,
            "lat": report.lat,
            "text": report.text or None,
            "drill": report.drill,
            "said_level": level,
            "keys": keys,
        }
        data = {"report": told}
        self.desk.load_keys(keys)
        return open_case(self.clerk, case_id, facts, t_ms, data, actor=actor, note=report.text or None)

    def _keep(self, report: Report, grid: str | None, actor: Actor, case: CaseState, key: str, t_ms: int) -> None:
        row = {name: getattr(report, name) for name in ("source", "category", "text", "lon", "lat")}
        row |= {"contact_name": report.contact_name, "contact_phone": report.contact_phone, "grid": grid}
        row |= {"id": report_id(actor.name, key), "case": case.id, "incident": case.incident, "t": t_ms}
        self.desk.add(report_table, row)

    # --- requests made twice

    def done(self, actor: Actor, key: str | None, request: str) -> str | None:
        """Return the case of a request that was already carried out; Refused 422 if the key was used for another."""
        if key is None:
            return None
        if not 0 < len(key) <= KEY_LIMIT or not key.isprintable():
            raise Refused("bad_key", 422, f"Idempotency-Key 须为 1 至 {KEY_LIMIT} 个可见字符")
        found = select(command.c.request, command.c.case)
        row = self.db.execute(found.where(command.c.actor == actor.name, command.c.key == key)).first()
        if row is None:
            return None
        if row.request != request:
            raise Refused("key_reused", 422, "该 Idempotency-Key 已用于另一个请求")
        return str(row.case)

    def note(
        self,
        actor: Actor,
        key: str | None,
        request: str,
        case: CaseState,
        seq: int,
        move: str,
        args: dict[str, Any],
        t_ms: int,
    ) -> None:
        """Keep what was asked for and where it went, so that it is done once and can be done again in a replay."""
        row: dict[str, Any] = {
            "actor": actor.name,
            "role": str(actor.role),
            "area": actor.area,
            "department": actor.department,
        }
        row |= {"key": key or f"{KEYLESS}{case.id}:{seq}", "request": request, "case": case.id, "seq": seq}
        row |= {"move": str(move), "args": msgspec.json.encode(args).decode(), "t": t_ms}
        self.desk.add(command, row | {"position": self.clerk.position})


def known_move(move: str) -> Move:
    """Return the move; Refused 422 for one that is not in the table."""
    if move not in set(Move):
        raise Refused("no_such_move", 422, f"没有这种操作：{move[:40]}")
    return Move(move)


def allowed(case: CaseState, actor: Actor) -> list[str]:
    """Return the moves that the actor may make on the case as it stands, in the order of the table."""
    found = []
    for move in moves.FROM:
        override = move == Move.VERIFY and bool(case.alerts) and case.close == "sensor" and actor.role == "supervisor"
        if may(actor, move, case, override=override).allowed and moves.fits(case, move, own_orders(actor, case)):
            found.append(str(move))
    return found


def _checked(report: Report, directory: Directory) -> str | None:
    """Check a report and return its grid. Raises Refused 422."""
    if report.category not in {known.code for known in known_categories()}:
        raise Refused("bad_category", 422, f"没有类别 {report.category[:20]}")
    if report.level is not None and report.level not in ("blue", "yellow", "orange", "red"):
        raise Refused("bad_level", 422, "级别须为 blue、yellow、orange、red 之一")
    texts: Sequence[tuple[str | None, int]] = (
        (report.text, moves.TEXT_LIMIT),
        (report.contact_name, moves.NAME_LIMIT),
        (report.contact_phone, moves.NAME_LIMIT),
        (report.source, 32),
    )
    if any(text is not None and (len(text) > limit or "\x00" in text) for text, limit in texts):
        raise Refused("bad_args", 422, "文字过长或含有空字符")
    moves.check_photos(report.photos)
    if (report.lon is None) != (report.lat is None):
        raise Refused("bad_place", 422, "经度和纬度须同时给出")
    if report.lon is not None and report.lat is not None:
        if not (-180 <= report.lon <= 180 and -90 <= report.lat <= 90):
            raise Refused("bad_place", 422, "经纬度超出范围")
        return directory.locate(report.lon, report.lat) or report.grid
    if report.grid is not None and not (report.grid.isascii() and report.grid.isdigit() and len(report.grid) == 15):
        raise Refused("bad_place", 422, "网格编码须为 15 位数字")
    return report.grid


def forbidden(reason: str) -> Refused:
    """Return the refusal of somebody whose role, area or department it is not."""
    told = {"role": "您的角色不能做此操作", "area": "案件不在您的辖区", "department": "案件不属于您的部门"}
    return Refused(f"other_{reason}" if reason != "role" else "role", 403, told[reason])


def digest(request: dict[str, Any]) -> str:
    """Return what tells one request from another."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()


def unproven(episodes: Iterable[Episode]) -> list[str]:
    """Return the signals whose latest episode was cleared, but not by a reading."""
    latest = {episode.signal: episode for episode in sorted(episodes, key=lambda e: (e.raised_t, e.id))}
    return sorted(name for name, last in latest.items() if not last.level and last.cause != "reading")


def report_id(actor: str, key: str) -> str:
    """Return the id of a report's row: SHA-256 of who and which request."""
    return hashlib.sha256(f"{actor}\n{key}".encode()).hexdigest()
