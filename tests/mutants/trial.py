"""One process, one mutant: its module is loaded with the mistake in it, and the property tests run.

Kernels run as plain Python, so that nothing is compiled for a mutant. The decoder keeps its compiled code, which reads
memory as Python cannot (no mutant stands in it), and so do comparisons of strings, which subtract truths.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import numba
import pytest
from hypothesis import Phase, settings

from tests.mutants.mutant import Mutant

TESTS = {
    "": "test_reference.py",
    "rules/expression": "test_expression_columns.py",
    "rules/schedule.py": "test_schedule_clock.py",
    "rules/civil.py": "test_schedule_clock.py",
    "geo": "test_geo_index.py",
}
"""The tests that run, by where the mutant stands; the first for all."""
NOT_OF_THE_ENGINE = "not every_corner"
ALWAYS_COMPILED = "rules.expression.text"
PATIENCE_S = 600
EXAMPLES_WITHOUT_MUTANT = 30


def prepare() -> None:
    """Load what no mutant stands in, once for all processes."""
    importlib.import_module("engine.detect.decode.decoder")
    importlib.import_module("ruamel.yaml")
    importlib.import_module("tests.reference.interpreter")


class Mutated(MetaPathFinder, SourceLoader):
    """Give the one module its changed source."""

    def __init__(self, mutant: Mutant, root: Path) -> None:
        self.name = mutant.path.removesuffix(".py").replace("/", ".")
        self.path = str(root / mutant.path)
        # compiled code is kept by the file's time, which does not change here
        self.source = mutant.applied(root).replace("cache=True", "cache=False").encode()
        if self.name in sys.modules:
            raise RuntimeError(f"{self.name} is loaded already: a mutant of it would change nothing")

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        del path, target
        return spec_from_loader(name, self, origin=self.path) if name == self.name else None

    def get_filename(self, name: str) -> str:
        del name
        return self.path

    def get_data(self, path: str | bytes) -> bytes:
        del path
        return self.source

    def get_code(self, name: str) -> object:  # never from a .pyc
        return self.source_to_code(self.source, self.get_filename(name))


class FirstCounterexample:
    """The pytest plugin: the first counterexample is enough, and is not made smaller."""

    def __init__(self, examples: int | None) -> None:
        self.examples = examples

    def pytest_sessionstart(self) -> None:
        usual = settings.get_profile("tongguan")
        settings.register_profile(
            "mutants",
            usual,
            max_examples=self.examples or usual.max_examples,
            phases=[Phase.explicit, Phase.generate],
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
        )
        settings.load_profile("mutants")


def tried(mutant: Mutant | None, root: Path, report: Path) -> NoReturn:
    """Run the tests in this process, which ends with the exit code of pytest; all that is said goes to `report`."""
    out = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = 3
    path = "" if mutant is None else mutant.path
    try:
        signal.alarm(PATIENCE_S)
        if mutant is not None:
            sys.meta_path.insert(0, Mutated(mutant, root))
        importlib.import_module(ALWAYS_COMPILED)
        numba.config.DISABLE_JIT = True
        os.chdir(root)
        code = pytest.main(
            [
                "-x", "-q", "--no-header", "--tb=line", "--timeout", "0", "-p", "no:cacheprovider",
                "-k", NOT_OF_THE_ENGINE,
                *(f"tests/property/{name}" for place, name in TESTS.items() if path.startswith(place)),
            ],
            plugins=[FirstCounterexample(EXAMPLES_WITHOUT_MUTANT if mutant is None else None)],
        )  # fmt: skip
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))
