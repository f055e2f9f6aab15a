"""Records that kill the process, or make it raise, each time they are judged: found by those who may die of them.

A process beside the worker holds the same detector. Before it judges a batch, a fork of it does, and dies in its place;
what is left is cut in half and tried again, until the one record is known. The worker then judges the others, in the
same pieces. A partition is watched over so from its start until its next checkpoint.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar, cast

import msgspec
import numpy as np

from engine.detect.batch import PADDING_BYTES, RecordBatch
from engine.detect.decode.reasons import Deadly
from engine.detect.detector import Detector, PlanSource
from engine.detect.errors import PlanMissing
from engine.runtime.crashpoints import poisoned
from engine.runtime.errors import TryAgain
from rules.plan import Plan

_LENGTH = struct.Struct("<q")
_log = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that nobody survives, and of what one dies."""

    offset: int
    reason: Deadly
    detail: str


class _Begin(msgspec.Struct, tag=True):
    """Go on from a snapshot, or begin before the first record."""

    partition: int
    snapshot: bytes | None


class _Batch(msgspec.Struct, tag=True):
    data: bytes
    end: bytes
    offset: bytes
    log_time: bytes | None


class _PlanWanted(msgspec.Struct, tag=True):
    digest: str


class _PlanFound(msgspec.Struct, tag=True):
    canonical: bytes | None


class _Sifted(msgspec.Struct, tag=True):
    """`pieces` (first, after) of the batch can be judged in turn; `bad` (offset, reason, detail) lie between."""

    pieces: list[tuple[int, int]]
    bad: list[tuple[int, str, str]]


_Message = _Begin | _Batch | _PlanWanted | _PlanFound | _Sifted
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(_Message)


class _Pipe:
    """Messages over two streams of bytes."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink

    def put(self, message: _Message) -> None:
        text = msgspec.msgpack.encode(message)
        self._sink.write(_LENGTH.pack(len(text)) + text)
        self._sink.flush()

    def get(self) -> _Message | None:
        head = self._source.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        message: _Message = _decoder.decode(self._source.read(_LENGTH.unpack(head)[0]))
        return message


# ---- in the worker


class Taster:
    """The process beside: it holds the detector of one partition and tastes what the worker is to judge."""

    def __init__(self, partition: int, snapshot: bytes | None, plans: PlanSource) -> None:
        self._plans = plans
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._pipe = _Pipe(cast(BinaryIO, self._process.stdout), cast(BinaryIO, self._process.stdin))
        self._pipe.put(_Begin(partition, snapshot))

    def taste(self, batch: RecordBatch) -> tuple[list[RecordBatch], list[Bad]]:
        """Return the pieces of a batch that can be judged, in order, and what is left out between them.

        The last piece may hold a plan record that is missing: like the detector it goes no further. Blocks meanwhile.
        """
        data, end = _packed(batch)
        log_time = None if batch.log_time is None else batch.log_time.tobytes()
        self._pipe.put(_Batch(data, end.tobytes(), batch.offset.tobytes(), log_time))
        while True:
            found = self._pipe.get()
            if isinstance(found, _PlanWanted):
                plan = self._plans.get(found.digest)
                self._pipe.put(_PlanFound(None if plan is None else plan.canonical()))
            elif isinstance(found, _Sifted):
                bad = [Bad(offset, Deadly(reason), detail) for offset, reason, detail in found.bad]
                return [batch.part(first, after) for first, after in found.pieces], bad
            else:
                raise TryAgain("the process that tastes records ended by itself")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def _packed(batch: RecordBatch) -> tuple[bytes, np.ndarray[Any, np.dtype[np.int64]]]:
    """Lay the records back to back."""
    texts = [batch.text(record) for record in range(len(batch))]
    return b"".join(texts), np.cumsum(batch.end - batch.start).astype(np.int64)


# ---- in the process beside


class _AskedPlans:
    """Plans that the worker has."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._known: dict[str, Plan] = {}

    def get(self, digest: str) -> Plan | None:
        if digest not in self._known:
            self._pipe.put(_PlanWanted(digest))
            found = self._pipe.get()
            if not isinstance(found, _PlanFound) or found.canonical is None:
                return None
            self._known[digest] = Plan.from_canonical(found.canonical)
        return self._known[digest]


def serve(pipe: _Pipe) -> None:
    """Taste batches until the worker goes."""
    begin = pipe.get()
    assert isinstance(begin, _Begin)
    plans = _AskedPlans(pipe)
    if begin.snapshot is None:
        detector = Detector(plans, partition=begin.partition)
    else:
        detector = Detector.restore(begin.snapshot, plans)
    gc.freeze()
    while (message := pipe.get()) is not None:
        assert isinstance(message, _Batch)
        pipe.put(sift(detector, _unpacked(message)))


def sift(detector: Detector, batch: RecordBatch) -> _Sifted:
    """Judge a batch without the records that nobody survives."""
    done = _Sifted([], [])
    pieces = [(0, len(batch))]
    while pieces:
        survived, how = _tried(detector, [batch.part(*piece) for piece in pieces])
        for piece in pieces[:survived]:
            done.pieces.append(piece)
            if not _step(detector, batch.part(*piece)):
                return done
        pieces = pieces[survived:]
        if pieces:
            first, after = pieces.pop(0)
            if after - first == 1:
                done.bad.append((int(batch.offset[first]), *how))
            else:
                middle = (first + after) // 2
                pieces[:0] = [(first, middle), (middle, after)]
    return done


def _step(detector: Detector, piece: RecordBatch) -> bool:
    """Judge a piece; False when it stopped before a plan that is missing."""
    if detector.stopped_before not in (None, int(piece.offset[0])):
        raise SystemExit("another detector went on where this one stopped")
    poisoned(piece)
    try:
        detector.step(piece)
    except PlanMissing:
        return False
    return detector.cursor == int(piece.offset[-1])


def _tried(detector: Detector, pieces: Sequence[RecordBatch]) -> tuple[int, tuple[str, str]]:
    """Let a fork judge the pieces; return how many it survived, and of what it died."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _die_of(detector, pieces, sink)
    os.close(sink)
    with open(source, "rb") as lines:  # noqa: PTH123 - a pipe
        told = lines.read()
    status = os.waitpid(child, 0)[1]
    survived = told.count(b"\n")
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return survived, (Deadly.KILLS_PROCESS.value, f"judging it ends the process by {name}")
    said = told.rpartition(b"\n")[2].decode("utf-8", "replace")
    reason = Deadly.RAISES if os.WEXITSTATUS(status) == 1 else Deadly.KILLS_PROCESS
    return survived, (reason.value, said or f"judging it ends the process with {os.WEXITSTATUS(status)}")


def _die_of(detector: Detector, pieces: Sequence[RecordBatch], sink: int) -> None:
    """Judge the pieces, a line for each that was survived, and end."""
    try:
        for number, piece in enumerate(pieces):
            if not _step(detector, piece):
                os.write(sink, b"\n" * (len(pieces) - number))
                break
            os.write(sink, b"\n")
    except BaseException as error:  # noqa: BLE001 - what it is, is what we want to know
        os.write(sink, repr(error)[:500].replace("\n", " ").encode("utf-8", "replace"))
        os._exit(1)
    os._exit(0)


def _unpacked(message: _Batch) -> RecordBatch:
    end = np.frombuffer(message.end, np.int64)
    start = np.concatenate((np.zeros(1, np.int64), end[:-1]))
    data = np.frombuffer(message.data + bytes(PADDING_BYTES), np.uint8)
    log_time = None if message.log_time is None else np.frombuffer(message.log_time, np.int64)
    return RecordBatch(data, start, end, np.frombuffer(message.offset, np.int64), log_time)


if __name__ == "__main__":
    serve(_Pipe(sys.stdin.buffer, sys.stdout.buffer))
