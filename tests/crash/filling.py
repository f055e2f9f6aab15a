"""An engine on a disk that gets full: `python filling.py DATA begin|again`.

`begin` appends until the engine ends the process, a number on standard output for each record acknowledged; `again`
opens the folder once more and prints the numbers that the log holds, after everything is drained.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from engine.commands.city_files import read_city
from engine.runtime.config import Config
from engine.runtime.embedded import Embedded
from engine.runtime.errors import TryAgain
from engine.runtime.log import Stream

HERE = Path(__file__).parent


def begin(engine: Embedded) -> None:
    """Append large records; refusals are fine, the engine ends the process when its own threads cannot write."""
    number = 0
    while True:
        number += 1
        record = json.dumps({"number": number, "filling": "x" * 20_000}).encode()
        try:
            engine.intake.append([record])
        except TryAgain:
            continue
        print(number, flush=True)


def again(engine: Embedded) -> None:
    """Print what is there."""
    assert engine.drain(60)
    records = engine.journal.read(Stream.READINGS, 0, 0, limit_bytes=1 << 30)
    numbers = [json.loads(value).get("number") for value in records.values]
    print(json.dumps([number for number in numbers if number is not None]), flush=True)
    engine.stop()


def main() -> None:
    """Open the folder and do what the second argument says."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    city = read_city(Config(rules=str(HERE / "rules"), registry=str(HERE / "sensors.csv")))
    engine = Embedded(Path(sys.argv[1]), city.plan)
    engine.start()
    (begin if sys.argv[2] == "begin" else again)(engine)


if __name__ == "__main__":
    main()
