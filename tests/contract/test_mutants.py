"""The list of mutants follows the engine: what each replaces stands in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.mutant import LIST, Mutant, listed

ROOT = Path(__file__).parents[2]
MUTANTS = listed(LIST.read_text())


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_what_a_mutant_replaces_stands_exactly_once_in_its_file_and_is_still_python_after(mutant: Mutant) -> None:
    compile(mutant.applied(ROOT), mutant.path, "exec")
