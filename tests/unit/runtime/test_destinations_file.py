"""Who is told: the file that names webhooks and robots, which messages they get, how they are signed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.runtime.errors import ConfigFault
from engine.runtime.notify.file import Case, Event, Message, Robot, Webhook, read_destinations
from engine.runtime.notify.posting import signature

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
    (found,) = read_destinations(file(tmp_path, f'[[webhook]]\n{GOOD}categories = ["04", "0501"]\narea = "330683"\n'))
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
            '[[webhook]]\nname = "e"\nurl = "http://x"\nsecret = "sixteen characters"\ncolours = ["red"]\n',
        )
    )
    with pytest.raises(ConfigFault) as fault:
        read_destinations(file(tmp_path, text))
    said = fault.value.faults
    assert [
        sum(word in one for one in said) for word in ("3:", "4:", "5:", "6:", "two destinations are named 'duty'")
    ] == [1] * 5
    assert len(said) == 5
    assert not any("sixteen characters" in one for one in said)


@pytest.mark.parametrize("text", ["[[webhook]", "webhooks = []", "[webhook]\nname = 'a'"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFault, match="webhooks"):
        read_destinations(file(tmp_path, text))


def message(move: str = "accept", change: dict[str, object] | None = None, **case: object) -> Message:
    data: dict[str, object] = {"change": change} if change else {}
    return Message("WO-1:1", Event(move, data), msgspec.convert({"category": "0405", "drill": False, **case}, Case))


RAISED = {"change": "raised", "level": "red"}


@pytest.mark.parametrize(
    ("more", "told", "wanted"),
    [
        ({}, message(), True),
        ({}, message(drill=True), False),
        ({"categories": ["04"]}, message(), True),
        ({"categories": ["05", "0405"]}, message(), True),
        ({"categories": ["05"]}, message(), False),
        ({"area": "330683"}, message(grid="330683001001001"), True),
        ({"area": "330684"}, message(grid="330683001001001"), False),
        ({"area": "330683"}, message(), False),
        ({"departments": ["gas"]}, message(department="gas"), True),
        ({"departments": ["gas"]}, message(department="drainage"), False),
        ({"events": ["dispatch", "raised"]}, message("alert", RAISED), True),
        ({"events": ["dispatch", "raised"]}, message("dispatch"), True),
        ({"events": ["cleared"]}, message("alert", RAISED), False),
        ({"levels": ["red"]}, message("alert", RAISED, level="red"), True),
        ({"levels": ["red"]}, message("alert", {"change": "raised", "level": "yellow"}, level="red"), False),
        ({"levels": ["red"]}, message("finish", level="red"), True),
        ({"levels": ["red"]}, message("finish"), False),
    ],
)
def test_a_destination_gets_the_messages_that_it_asks_for_and_no_drills(
    more: dict[str, object], told: Message, wanted: bool
) -> None:
    given = {"name": "a", "url": "http://x", "secret": "sixteen characters"}
    assert msgspec.convert(given | more, Webhook).wants(told) is wanted


def test_a_robot_is_told_of_what_a_duty_officer_must_know_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    text = '[[robot]]\nname = "leader"\nkind = "dingtalk"\nurl = "https://x/send?access_token=1"\nlevels = ["red"]\n'
    (found,) = read_destinations(file(tmp_path, text))
    assert isinstance(found, Robot)
    assert [found.wants(message("alert", {"change": change, "level": "red"})) for change in ("raised", "cleared")] == [
        True,
        False,
    ]
    assert not found.wants(message("alert", {"change": "raised", "level": "yellow"}, level="yellow"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('kind = "feishu"', "kind"),
        ('kind = "wecom"\nsecret = "SEC1"', "a WeCom robot has none"),
        ('kind = "wecom"\nevents = ["raise"]', "events: unknown raise; known are absorbed, accept"),
        ('kind = "wecom"\nat = ["王强"]', "at"),
        ('kind = "wecom"\ngive_up = "soon"', "give_up"),
    ],
)
def test_the_faults_of_a_robot_are_named(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigFault, match=f"robot 1: .*{said}"):
        read_destinations(file(tmp_path, f'[[robot]]\nname = "a"\nurl = "http://x/send?key=1"\n{more}\n'))
