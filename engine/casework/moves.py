"""The table of moves: from which states, with which arguments, and what each does to the case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from engine.casework.errors import Refused
from engine.casework.model import OPEN_STATES, CaseState, Move, OrderState, State, WorkOrder
from engine.casework.people import Actor, own_orders
from engine.casework.words import MOVES, STATES

_ANY = frozenset(State)
_WORKED = frozenset({State.DISPATCHED, State.HANDLING})

FROM: dict[Move, frozenset[State]] = {
    Move.REPORT: frozenset(),
    Move.ACCEPT: frozenset({State.REPORTED}),
    Move.REJECT: frozenset({State.REPORTED, State.ACCEPTED}),
    Move.FILE: frozenset({State.ACCEPTED}),
    Move.DISPATCH: frozenset({State.FILED, State.RETURNED}),
    Move.RETURN: frozenset({State.DISPATCHED}),
    Move.START: frozenset({State.DISPATCHED}),
    Move.FINISH: frozenset({State.HANDLING}),
    Move.VERIFY: frozenset({State.HANDLED}),
    Move.CLOSE: frozenset({State.VERIFIED}),
    Move.EXTEND: _WORKED,
    Move.SUSPEND: _WORKED,
    Move.RESUME: frozenset({State.SUSPENDED}),
    Move.SUPERVISE: OPEN_STATES,
    Move.MERGE: OPEN_STATES,
    Move.UNMERGE: frozenset({State.MERGED}),
    Move.VOID: OPEN_STATES,
    Move.REOPEN: frozenset({State.CLOSED}),
    Move.COMMENT: _ANY,
    Move.ATTACH: _ANY,
}
_OF_ORDER = {
    Move.RETURN: OrderState.DISPATCHED,
    Move.START: OrderState.DISPATCHED,
    Move.FINISH: OrderState.HANDLING,
}


class Args(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of all moves; which ones a move takes and needs stands in `_TAKES` and `_NEEDS`."""

    reason: str | None = None
    note: str | None = None
    department: str | None = None
    departments: list[str] | None = None
    officer: str | None = None
    work_order: str | None = None
    result: Literal["pass", "fail"] = "pass"
    override: bool = False
    due: int | None = None
    into: str | None = None
    photos: list[str] = []


_TAKES: dict[Move, frozenset[str]] = {
    Move.DISPATCH: frozenset({"department", "departments", "officer"}),
    Move.RETURN: frozenset({"work_order"}),
    Move.START: frozenset({"work_order"}),
    Move.FINISH: frozenset({"work_order", "photos"}),
    Move.VERIFY: frozenset({"result", "override"}),
    Move.EXTEND: frozenset({"due"}),
    Move.MERGE: frozenset({"into"}),
    Move.ATTACH: frozenset({"photos"}),
}
_ALWAYS = frozenset({"reason", "note"})
_REASONED = frozenset({Move.REJECT, Move.RETURN, Move.EXTEND, Move.VOID, Move.REOPEN})
TEXT_LIMIT = 4000
NAME_LIMIT = 64
PHOTO_LIMIT = 20
URL_LIMIT = 2048


def parse_args(move: Move, raw: Mapping[str, Any]) -> Args:
    """Check a move's arguments by themselves. Raises Refused 422 (bad_args, reason_required, …)."""
    extra = sorted(set(raw) - _ALWAYS - _TAKES.get(move, frozenset()))
    if extra:
        raise Refused("bad_args", 422, f"“{MOVES[move]}”不接受参数：{'、'.join(extra)}")
    try:
        args = msgspec.convert(dict(raw), Args)
    except msgspec.ValidationError as error:
        raise Refused("bad_args", 422, f"参数有误：{error}") from error
    _check_texts(args)
    if _needs_reason(move, args) and not (args.reason or args.note):
        raise Refused("reason_required", 422, f"“{MOVES[move]}”须说明理由（reason）")
    if move == Move.EXTEND and args.due is None:
        raise Refused("due_required", 422, "延期须给出新的时限（due，毫秒）")
    if move == Move.MERGE and not args.into:
        raise Refused("into_required", 422, "并案须指明并入的案件（into）")
    if move == Move.COMMENT and not (args.note or args.reason):
        raise Refused("note_required", 422, "批注须有内容（note）")
    if move == Move.ATTACH and not args.photos:
        raise Refused("photos_required", 422, "附件须给出网址（photos）")
    return args


def _needs_reason(move: Move, args: Args) -> bool:
    return move in _REASONED or (move == Move.VERIFY and (args.override or args.result == "fail"))


def _check_texts(args: Args) -> None:
    for text, limit in (
        (args.reason, TEXT_LIMIT),
        (args.note, TEXT_LIMIT),
        (args.department, NAME_LIMIT),
        (args.officer, NAME_LIMIT),
        *((name, NAME_LIMIT) for name in args.departments or ()),
    ):
        if text is not None and (len(text) > limit or "\x00" in text):
            raise Refused("bad_args", 422, f"文字过长（至多 {limit} 字）或含有空字符")
    check_photos(args.photos)
    if args.due is not None and not 0 < args.due < 1 << 52:
        raise Refused("bad_args", 422, "时限超出范围")


def check_photos(photos: Sequence[str]) -> None:
    """Raise Refused 422 unless all are http(s) addresses within the limits."""
    if len(photos) > PHOTO_LIMIT:
        raise Refused("bad_args", 422, f"附件至多 {PHOTO_LIMIT} 个")
    for url in photos:
        plain = url.isascii() and url.isprintable() and " " not in url
        if not plain or len(url) > URL_LIMIT or not url.startswith(("https://", "http://")):
            raise Refused("bad_args", 422, "附件须为 http(s) 网址")


def fits(case: CaseState, move: Move, orders: Sequence[WorkOrder]) -> bool:
    """Tell whether the case is where the move begins. With several work orders the rest of them may still be started,
    returned and dispatched again while one is in hand; `orders` are those that the actor may work on."""
    if move in _OF_ORDER:
        ready = any(order.state == _OF_ORDER[move] for order in orders)
        return ready and case.state in (_WORKED if move != Move.FINISH else FROM[move])
    if move == Move.DISPATCH and case.state in _WORKED:
        return any(order.state == OrderState.RETURNED for order in case.orders)
    return case.state in FROM[move]


def effect(case: CaseState, move: Move, args: Args, actor: Actor, further: Sequence[str]) -> dict[str, Any]:
    """Return the data of the move's event. Raises Refused: 409 when it does not fit now, 422 for arguments.

    `further` are the departments that the category names beside the leading one.
    """
    if not fits(case, move, own_orders(actor, case)):
        raise not_now(case, move)
    maker = _MAKERS.get(move)
    return maker(case, args, actor, further) if maker is not None else {}


def not_now(case: CaseState, move: str) -> Refused:
    """Return the refusal of a move that the case's state does not allow."""
    return Refused("not_now", 409, f"案件“{STATES[case.state]}”，现在不能“{MOVES[move]}”")


def _dispatched(case: CaseState, args: Args, _actor: Actor, further: Sequence[str]) -> dict[str, Any]:
    asked = ([args.department] if args.department else []) + list(args.departments or ())
    returned = [order for order in case.orders if order.state == OrderState.RETURNED]
    if returned:
        names = asked or [order.department for order in returned]
    else:
        names = asked or ([case.department] if case.department else [])
        names = [*names, *(name for name in further if not args.departments)]
    names = list(dict.fromkeys(names))
    if not names:
        raise Refused("department_required", 422, "派遣须指明处置部门（department）")
    first_free = max((order.n for order in case.orders), default=0) + 1
    numbers = [order.n for order in returned] + list(range(first_free, first_free + len(names)))
    officer = args.officer or case.officer
    orders = [{"n": n, "department": name, "officer": officer} for n, name in zip(numbers, names, strict=False)]
    return {"orders": orders}


def _of_orders(move: Move) -> Callable[[CaseState, Args, Actor, Sequence[str]], dict[str, Any]]:
    def make(case: CaseState, args: Args, actor: Actor, _further: Sequence[str]) -> dict[str, Any]:
        ready = [order for order in own_orders(actor, case) if order.state == _OF_ORDER[move]]
        if args.work_order is not None:
            ready = [order for order in ready if f"{case.id}/{order.n}" == args.work_order]
            if not ready:
                raise Refused("no_such_order", 409, f"没有可“{MOVES[move]}”的工单：{args.work_order}")
        data: dict[str, Any] = {"orders": [order.n for order in ready]}
        if args.photos:
            data["photos"] = args.photos
        return data

    return make


def _verified(case: CaseState, args: Args, _actor: Actor, _further: Sequence[str]) -> dict[str, Any]:
    if args.result == "pass" and case.close == "sensor" and case.alerts and not args.override:
        raise Refused("still_active", 409, f"还有 {len(case.alerts)} 条报警未解除，不能核查通过")
    return {"result": args.result, "override": True} if args.override else {"result": args.result}


def _extended(_case: CaseState, args: Args, _actor: Actor, _further: Sequence[str]) -> dict[str, Any]:
    return {"due": args.due}


def _attached(_case: CaseState, args: Args, _actor: Actor, _further: Sequence[str]) -> dict[str, Any]:
    return {"photos": args.photos}


_MAKERS: dict[Move, Callable[[CaseState, Args, Actor, Sequence[str]], dict[str, Any]]] = {
    Move.DISPATCH: _dispatched,
    Move.RETURN: _of_orders(Move.RETURN),
    Move.START: _of_orders(Move.START),
    Move.FINISH: _of_orders(Move.FINISH),
    Move.VERIFY: _verified,
    Move.EXTEND: _extended,
    Move.ATTACH: _attached,
}
