"""What is kept of each series whatever the rules: its number in its kind and its last good reading."""

from __future__ import annotations

from collections import Counter

import numpy as np

from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.kernels.compiled import NEVER
from engine.detect.rows import I32, I64


class Series:
    """Arrays by the numbers of a vocabulary; they have room beyond its count."""

    def __init__(self) -> None:
        self._known = 0
        self._count: Counter[str] = Counter()
        self.local: I32 = np.zeros(1024, np.int32)
        """Number of each series among those of its kind."""
        self.last: I64 = np.full(1024, NEVER, np.int64)
        """`t` of the last good reading."""

    def update(self, vocabulary: Vocabulary) -> None:
        """Number the series that the vocabulary has learnt."""
        count = vocabulary.count
        if count == self._known:
            return
        if count > len(self.local):
            size = max(count, 2 * len(self.local))
            self.local = np.concatenate((self.local, np.zeros(size - len(self.local), np.int32)))
            self.last = np.concatenate((self.last, np.full(size - len(self.last), NEVER, np.int64)))
        new = np.arange(self._known, count)
        kinds = vocabulary.series_kind[new]
        for kind in np.unique(kinds).tolist():
            self._number(vocabulary, new[kinds == kind])
        self._known = count

    def _number(self, vocabulary: Vocabulary, series: I64) -> None:
        """Number series of one kind (or of kinds that the plan no longer has, one by one)."""
        if int(vocabulary.series_kind[series[0]]) < 0:
            for one in series.tolist():
                self._place(vocabulary.series_kind_name(one), np.array([one]))
        else:
            self._place(vocabulary.series_kind_name(int(series[0])), series)

    def _place(self, kind: str, series: I64) -> None:
        before = self._count[kind]
        self.local[series] = np.arange(before, before + len(series))
        self._count[kind] += len(series)

    def of_kind(self, kind: str) -> int:
        """Return how many series of a kind there are."""
        return self._count[kind]
