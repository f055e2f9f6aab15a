"""Webhooks: the file that names them, which messages they get, how they are signed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.runtime.errors import ConfigFault
from engine.runtime.kafka.webhooks import Webhook, _Case, read_webhooks, signature

GOOD = 'name = "duty"\nurl = "https://duty.example/hook"\nsecret = "sixteen characters"\n'


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "webhooks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_signature_is_that_of_the_published_example() -> None:
    webhook = Webhook(name="x", url="http://x", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(webhook.key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_file_names_webhooks(tmp_path: Path) -> None:
    (found,) = read_webhooks(file(tmp_path, f'[[webhook]]\n{GOOD}categories = ["04", "0501"]\narea = "330683"\n'))
    assert found == Webhook(
        name="duty",
        url="https://duty.example/hook",
        secret="sixteen characters",
        categories=["04", "0501"],
        area="330683",
    )


def test_every_fault_of_a_file_is_named(tmp_path: Path) -> None:
    text = "\n".join(
        (
            f"[[webhook]]\n{GOOD}",
            f"[[webhook]]\n{GOOD}",
            '[[webhook]]\nname = "b"\nurl = "ftp://x"\nsecret = "sixteen characters"\n',
            '[[webhook]]\nname = "c"\nurl = "http://x"\nsecret = "short"\n',
            '[[webhook]]\nname = "d"\nurl = "http://x"\nsecret = "whsec_not base64 at all"\n',
            '[[webhook]]\nname = "e"\nurl = "http://x"\nsecret = "sixteen characters"\nlevels = ["red"]\n',
        )
    )
    with pytest.raises(ConfigFault) as fault:
        read_webhooks(file(tmp_path, text))
    said = fault.value.faults
    assert [sum(word in one for one in said) for word in ("3:", "4:", "5:", "6:", "two webhooks are named 'duty'")] == [
        1
    ] * 5
    assert len(said) == 5
    assert not any("sixteen characters" in one for one in said)


@pytest.mark.parametrize("text", ["[[webhook]", "webhooks = []", "[webhook]\nname = 'a'"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFault, match="webhooks"):
        read_webhooks(file(tmp_path, text))


@pytest.mark.parametrize(
    ("more", "case", "wanted"),
    [
        ({}, _Case("0405", False), True),
        ({}, _Case("0405", True), False),
        ({"categories": ["04"]}, _Case("0405", False), True),
        ({"categories": ["05", "0405"]}, _Case("0405", False), True),
        ({"categories": ["05"]}, _Case("0405", False), False),
        ({"area": "330683"}, _Case("0405", False, "330683001001001"), True),
        ({"area": "330684"}, _Case("0405", False, "330683001001001"), False),
        ({"area": "330683"}, _Case("0405", False), False),
    ],
)
def test_a_webhook_gets_the_cases_that_it_asks_for_and_no_drills(
    more: dict[str, object], case: _Case, wanted: bool
) -> None:
    given = {"name": "a", "url": "http://x", "secret": "sixteen characters"}
    assert msgspec.convert(given | more, Webhook).wants(case) is wanted
