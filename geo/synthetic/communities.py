"""Which street and community each leaf belongs to, and who looks after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from geo.synthetic.leaves import Leaves
from geo.synthetic.noise import Noise

Floats = npt.NDArray[np.float64]

# Middles of the streets in metres from the middle of the city, and how far they reach out against their neighbours.
# Placed by hand after where they lie to each other.
SEATS: Final[Mapping[str, tuple[float, float, float]]] = {
    "330683001": (-700, 1900, 0.95),
    "330683002": (600, -2600, 0.95),
    "330683003": (-3100, -900, 0.9),
    "330683005": (4300, 300, 1.1),
    "330683100": (-7200, -5600, 1.25),
    "330683101": (-13600, -7200, 1.1),
    "330683102": (-8600, 5200, 1.2),
    "330683103": (10600, -5200, 1.15),
    "330683104": (4200, 13800, 1.1),
    "330683105": (-13800, -600, 1.0),
    "330683106": (-8200, 12800, 1.1),
    "330683107": (7400, 8300, 0.9),
    "330683108": (14200, 900, 1.0),
    "330683110": (13000, 7200, 0.85),
    "330683200": (-12200, -13200, 1.0),
}
_SURNAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅"
    "沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭邹邢竺钱裘"
)
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建国志海燕波斌鹏宇浩凯晨欣怡佳慧琳倩雪峰林松柏"
_GRIDS_AN_OFFICER: Final = 15


def assign(rng: np.random.Generator, leaves: Leaves, communities: Mapping[str, str]) -> npt.NDArray[np.int64]:
    """The 12-digit community code of each leaf, int64[n]; communities are in one piece and fill their street."""
    street = _streets(rng, leaves)
    code = np.zeros(len(leaves.size), np.int64)
    for seat in SEATS:
        mine = np.flatnonzero(street == int(seat))
        names = sorted(c for c in communities if c.startswith(seat))
        code[mine] = _share_out(rng, leaves, mine, names, np.array(SEATS[seat][:2]))
    return _in_one_piece(code, neighbours(leaves))


def _streets(rng: np.random.Generator, leaves: Leaves) -> npt.NDArray[np.int64]:
    x, y = leaves.middle.T
    wobble = [Noise(rng, 2600.0), Noise(rng, 2600.0)]
    x, y = x + 650 * wobble[0](x, y), y + 650 * wobble[1](x, y)
    distance = np.stack([np.hypot(x - sx, y - sy) / reach for sx, sy, reach in SEATS.values()])
    nearest: npt.NDArray[np.int64] = np.array([int(seat) for seat in SEATS], np.int64)[distance.argmin(axis=0)]
    return nearest


def _share_out(
    rng: np.random.Generator, leaves: Leaves, mine: npt.NDArray[np.intp], names: Sequence[str], seat: Floats
) -> npt.NDArray[np.int64]:
    """Cluster a street's leaves into its communities; residents' committees take the town, villages the rest."""
    place = leaves.middle[mine]
    middles = _spread(rng, place, len(names))
    for _ in range(8):
        nearest = _nearest(place, middles)
        for k in range(len(names)):
            if (nearest == k).any():
                middles[k] = place[nearest == k].mean(axis=0)
    nearest = _nearest(place, middles)
    closeness = np.argsort(np.hypot(*(middles - seat).T), kind="stable")
    name_of = np.empty(len(names), np.int64)
    name_of[closeness] = [int(name) for name in names]  # codes of residents' committees come before those of villages
    code: npt.NDArray[np.int64] = name_of[nearest]
    return code


def _spread(rng: np.random.Generator, place: Floats, count: int) -> Floats:
    """First middles, far from each other: each the farthest of a few random leaves."""
    chosen = [place[rng.integers(len(place))]]
    while len(chosen) < count:
        tries = place[rng.integers(len(place), size=8)]
        away = np.min([np.hypot(*(tries - c).T) for c in chosen], axis=0)
        chosen.append(tries[away.argmax()])
    return np.array(chosen)


def _nearest(place: Floats, middles: Floats) -> npt.NDArray[np.intp]:
    distance = (place[:, None, 0] - middles[None, :, 0]) ** 2 + (place[:, None, 1] - middles[None, :, 1]) ** 2
    nearest: npt.NDArray[np.intp] = distance.argmin(axis=1)
    return nearest


def neighbours(leaves: Leaves) -> list[set[int]]:
    """Which leaves share an edge with each leaf."""
    out: list[set[int]] = [set() for _ in leaves.size]
    owner = leaves.owner
    for a, b in ((owner[:, :-1], owner[:, 1:]), (owner[:-1], owner[1:])):
        touching = (a != b) & (a >= 0) & (b >= 0)
        for one, other in np.unique(np.stack([a[touching], b[touching]], axis=1), axis=0).tolist():
            out[one].add(other)
            out[other].add(one)
    return out


def _in_one_piece(code: npt.NDArray[np.int64], near: Sequence[set[int]]) -> npt.NDArray[np.int64]:
    """Give pieces that lie apart from their community to the one that they touch most."""
    code = code.copy()
    for _ in range(6):
        apart = [piece for pieces in _pieces(code, near).values() for piece in pieces[1:]]
        if not apart:
            break
        for piece in apart:
            around = Counter(int(code[n]) for leaf in piece for n in near[leaf] if code[n] != code[leaf])
            if around:
                code[piece] = max(around, key=lambda c: (around[c], -c))
    return code


def _pieces(code: npt.NDArray[np.int64], near: Sequence[set[int]]) -> dict[int, list[list[int]]]:
    """Connected pieces of each community, the largest first."""
    seen = np.zeros(len(code), np.bool_)
    pieces: dict[int, list[list[int]]] = {}
    for start in range(len(code)):
        if seen[start]:
            continue
        seen[start] = True
        piece = [start]
        for leaf in piece:
            for n in sorted(near[leaf]):
                if not seen[n] and code[n] == code[leaf]:
                    seen[n] = True
                    piece.append(n)
        pieces.setdefault(int(code[start]), []).append(piece)
    return {c: sorted(p, key=lambda piece: (-len(piece), piece[0])) for c, p in pieces.items()}


def officers(rng: np.random.Generator, community_of: Sequence[str]) -> tuple[list[str], list[int]]:
    """Grid officers 网格员, and which of them looks after each grid; grids come in the order of their codes."""
    names: list[str] = []
    looks_after: list[int] = []
    for _, count in sorted(Counter(community_of).items()):
        teams = max(1, round(count / _GRIDS_AN_OFFICER))
        looks_after += [len(names) + i * teams // count for i in range(count)]
        names += [_person(rng) for _ in range(teams)]
    return names, looks_after


def _person(rng: np.random.Generator) -> str:
    given = "".join(_GIVEN[i] for i in rng.integers(len(_GIVEN), size=int(rng.integers(1, 3))))
    return _SURNAMES[int(rng.integers(len(_SURNAMES)))] + given
