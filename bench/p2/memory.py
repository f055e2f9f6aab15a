"""A topic's log held in memory, so that no run reads from the disk what another found in the page cache."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np


class Held:
    """The segments of one topic at a time, mapped and locked."""

    def __init__(self, data: Path, say: Callable[[str], None]) -> None:
        """`data`: the folder in which the broker keeps its partitions."""
        self._data = data
        self._say = say
        self._topic = ""
        self._maps: list[mmap.mmap] = []

    def hold(self, topic: str) -> None:
        """Hold this topic and no other. Where the system locks no memory, say so and go on: the pages are read once."""
        if topic == self._topic:
            return
        self._topic = topic
        self._maps = []  # unmapping unlocks
        refused = 0
        for segment in sorted(self._data.glob(f"{topic}-[0-9]*/*.log")):
            with segment.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if not size:
                    continue
                mapped = mmap.mmap(file.fileno(), size, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ)
            pages = np.frombuffer(mapped, np.uint8)
            pages[:: mmap.PAGESIZE].max()  # in a virtual machine the first touch of a page is dear
            address = pages.ctypes.data
            refused += ctypes.CDLL(None).mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) != 0
            self._maps.append(mapped)
        if refused:
            self._say(f"{topic}: {refused} of {len(self._maps)} segments cannot be locked in memory (ulimit -l)")
