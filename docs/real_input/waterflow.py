"""Write the WaterFlow series (river, BSD-3-Clause; given by Tecnojest s.r.l.) as readings, one JSON object a line.

python docs/real_input/waterflow.py > waterflow.ndjson
tongguan detect --rules docs/real_input/rules --kinds docs/real_input/kinds.yaml waterflow.ndjson
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from river import datasets


def readings() -> Iterator[str]:
    """Give the 1,268 hourly flows of one pipeline branch, in L/s, in order of time."""
    for x, flow in datasets.WaterFlow():
        yield json.dumps({"sensor": "branch-1", "kind": "pipe.flow", "t": x["Time"].isoformat(), "v": flow})


if __name__ == "__main__":
    sys.stdout.writelines(line + "\n" for line in readings())
