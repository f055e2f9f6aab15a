"""The API as it is described: every role calls every route with what the description allows and with what it does not;
no answer is a 5xx, and every answer has a status, type, headers and body as described.

`TONGGUAN_API_CALLS=5000` asks for that many calls and more, spread over roles and routes; without it there are few.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation

from engine.api.policy import ROLES
from tests.town import DRAIN_EAST, GAS_EAST, Town, open_town

CALLS = int(os.environ.get("TONGGUAN_API_CALLS", "300"))
STREAM = "/api/v1/stream"  # does not end by itself; tests/contract/test_http_stream.py
NEEDS_MORE = frozenset({"bbox", "if-match", "idempotency-key"})
"""What a description cannot say: which box is not inside out, which version a case has, which categories there are."""
READINGS = "/api/v1/readings"  # takes the good ones of a body, and names the others by their place
OF_THE_MOMENT = ("/api/v1/player", "/attachments")
"""What the player can do depends on what is played, and whether bytes are a picture on all of them."""

pytestmark = pytest.mark.timeout(0 if CALLS > 1000 else 300)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 55)
        yield running


@pytest.fixture(scope="module")
def operations(town: Town) -> list[APIOperation]:
    load_all_checks()
    with town.client(None) as client:
        document = client.get("/openapi.json").json()
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)  # else half of the calls would try tokens of nobody
    schema = schemathesis.openapi.from_dict(document)
    return [found.ok() for found in schema.get_all_operations() if found.ok().path != STREAM]


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_as_described(town: Town, operations: list[APIOperation], role: str) -> None:
    made: Counter[int] = Counter()
    faults: list[str] = []
    wanted = math.ceil(CALLS / len(ROLES))
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {town.token(role)}"
        while made.total() < wanted:
            each = max(1, math.ceil((wanted - made.total()) / len(operations) / 2))
            for operation in operations:
                for mode in GenerationMode:
                    _call(town, operation, session, mode, each, made, faults)
    print(f"{role}: {made.total()} calls of {len(operations)} routes: {dict(sorted(made.items()))}")
    assert not faults, "\n".join(faults)
    assert not any(status >= 500 for status in made)
    assert made[200] > 0


def _call(
    town: Town,
    operation: APIOperation,
    session: requests.Session,
    mode: GenerationMode,
    number: int,
    made: Counter[int],
    faults: list[str],
) -> None:
    """Call a route so many times; with what is allowed, it is of a case that there is."""
    names = {parameter.name.lower() for parameter in operation.iter_parameters()}
    given_case = mode is GenerationMode.POSITIVE and "case_id" in names
    case_id = town.case_of(DRAIN_EAST)["id"] if given_case else ""
    excluded = [CHECKS.get_one("ignored_auth")]  # its calls are with tokens of nobody
    if operation.path == READINGS:
        excluded.append(CHECKS.get_one("negative_data_rejection"))
    if names & NEEDS_MORE or operation.path.endswith(OF_THE_MOMENT):
        excluded.append(CHECKS.get_one("positive_data_acceptance"))

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=CALLS <= 1000,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def call(case: schemathesis.Case) -> None:
        if given_case:
            case.path_parameters["case_id"] = case_id
        response = case.call(base_url=town.url, session=session)
        made[response.status_code] += 1
        try:
            case.validate_response(response, excluded_checks=excluded)
        except (Failure, FailureGroup) as failure:
            told = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
            faults.extend(f"{operation.label}: {type(one).__name__}: {one}"[:600] for one in told)

    with suppress(Unsatisfiable):  # nothing wrong can be said to a route without parameters
        call()
