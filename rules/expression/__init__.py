"""The expression language of rules: a typed subset of CEL syntax, compiled to vector operations (spec/rules.md)."""

from __future__ import annotations

from rules.expression.compile import Expression, compile_expression
from rules.expression.tree import Type

__all__ = ["Expression", "Type", "compile_expression"]
