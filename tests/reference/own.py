"""What belongs to a rule of a plan."""

from __future__ import annotations

import json
from typing import Any


def own(plan: dict[str, Any], rule: dict[str, Any]) -> str:
    """Give all that the rule's own digest covers, as text."""
    kinds = reads(plan, rule)
    zones = {name: rings for name, rings in plan["zones"].items() if f'"{name}"' in json.dumps(rule).replace("\\", "")}
    rows = [row for row in plan["registry"] if row["kind"] in kinds]
    return json.dumps([rule, {k: plan["kinds"][k] for k in kinds}, zones, rows], sort_keys=True)


def reads(plan: dict[str, Any], rule: dict[str, Any]) -> list[str]:
    wanted = rule["reads"] if isinstance(rule["reads"], list) else [rule["reads"]]
    return sorted(k for k in plan["kinds"] for w in wanted if k == w or (w.endswith(".*") and k.startswith(w[:-1])))
