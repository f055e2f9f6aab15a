"""Telling people and systems of cases beside an embedded engine: what is sent, retried, kept as a receipt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.casework.duty import RosterFile
from engine.runtime.notify.beside import Beside
from engine.runtime.notify.posting import posters_of, signature
from tests.kafka.listener import Listening
from tests.parts.ports import free_ports
from tests.town import DRAIN_EAST, DRAIN_WEST, GAS_EAST, Town, now_ms, open_town

SECRET = "a secret of the tests, long enough"
OK = b'{"errcode":0,"errmsg":"ok"}'


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@contextmanager
def telling(town: Town, folder: Path, text: str, roster: str = "") -> Iterator[Beside]:
    """Tell the destinations of a file."""
    file = folder / "webhooks.toml"
    file.write_text(text, encoding="utf-8")
    duty = folder / "duty.csv"
    duty.write_text(roster, encoding="utf-8")
    posters = posters_of(str(file), RosterFile(duty if roster else None, "Asia/Shanghai"), now_ms, "Asia/Shanghai")
    beside = Beside(town.engine.casework, posters, town.engine.relay.subscribe, first_pause_s=0.05)
    beside.start()
    until(lambda: len(beside.progress()) == len(posters), "the thread")
    last = town.engine.relay.position
    until(lambda: all(one.position == last for _, one in beside.progress().values()), "cursors")
    try:
        yield beside
    finally:
        beside.stop()
        assert not beside.thread.is_alive()


def until(done: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.01)


def webhook(name: str, url: str, more: str = "") -> str:
    return f"[[webhook]]\nname = '{name}'\nurl = '{url}'\nsecret = '{SECRET}'\n{more}\n"


def robot(name: str, kind: str, url: str, more: str = "") -> str:
    return f"[[robot]]\nname = '{name}'\nkind = '{kind}'\nurl = '{url}'\n{more}\n"


def receipts(town: Town, case: str) -> dict[tuple[str, int], dict[str, object]]:
    with town.client("supervisor") as client:
        found = client.get(f"/api/v1/cases/{case}").json()["receipts"]
    return {(one["destination"], one["seq"]): one for one in found}


def test_a_webhook_is_told_of_each_event_in_order_and_signed_and_a_dead_one_delays_nobody(
    town: Town, tmp_path: Path
) -> None:
    (nobody,) = free_ports(1)
    with Listening() as duty:
        text = webhook("duty", duty.url) + webhook("gone", f"http://127.0.0.1:{nobody}/")
        with telling(town, tmp_path, text) as beside:
            town.read(DRAIN_EAST, "drain.level", 95)
            town.read(DRAIN_EAST, "drain.level", 115, t=now_ms() + 1000)
            case = town.case_of(DRAIN_EAST)
            until(lambda: len(duty.posts) == case["seq"], "messages")
            assert [post.said["id"] for post in duty.posts] == [f"{case['id']}:{n + 1}" for n in range(case["seq"])]
            for post in duty.posts:
                name, at = post.headers["webhook-id"], int(post.headers["webhook-timestamp"])
                assert (name, post.headers["content-type"]) == (post.said["id"], "application/json")
                assert post.headers["webhook-signature"] == signature(SECRET.encode(), name, at, post.body)
            until(lambda: (receipts(town, case["id"]).get(("webhook:gone", 1)) or {"tries": 0})["tries"] > 2, "retries")
            gone = receipts(town, case["id"])["webhook:gone", 1]
            assert (gone["state"], "ConnectError" in str(gone["answer"])) == ("waiting", True)
            taken = receipts(town, case["id"])["webhook:duty", 1]
            assert {name: taken[name] for name in ("state", "tries", "answer")} == {
                "state": "taken",
                "tries": 1,
                "answer": "204",
            }
            waiting, progress = beside.progress()["webhook:gone"]
            assert waiting == case["seq"]
            assert progress.failed > 2


def test_what_was_not_taken_is_told_again_under_the_same_id_also_by_the_next_process(
    town: Town, tmp_path: Path
) -> None:
    with Listening(status=503, answer=b"come back later") as duty:
        text = webhook("later", duty.url)
        with telling(town, tmp_path, text):
            town.read(DRAIN_WEST, "drain.level", 95)
            until(lambda: len(duty.posts) > 2, "tries")
        case = town.case_of(DRAIN_WEST)
        assert {post.said["id"] for post in duty.posts} == {f"{case['id']}:1"}
        assert receipts(town, case["id"])["webhook:later", 1]["answer"] == "503 come back later"
        duty.status, duty.answer = 200, b""
        file = tmp_path / "webhooks.toml"
        again = Beside(
            town.engine.casework,
            posters_of(str(file), RosterFile(None, "Asia/Shanghai"), now_ms, "Asia/Shanghai"),
            town.engine.relay.subscribe,
        )
        again.start()
        until(lambda: receipts(town, case["id"])["webhook:later", 1]["state"] == "taken", "the message is taken")
        again.stop()
        assert int(str(receipts(town, case["id"])["webhook:later", 1]["tries"])) > 2


def test_red_alerts_go_to_the_duty_leaders_robot_and_others_do_not(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    roster = "date,post,from,to,name,phone\n" + "".join(
        f"2020-01-0{day},leader,00:00,00:00,某人,1390000000{day}\n" for day in (1, 2)
    )
    today = time.strftime("%Y-%m-%d", time.gmtime(now_ms() / 1000 + 8 * 3600))
    roster += f"{today},leader,00:00,00:00,王强,13800000001\n"
    with Listening(status=200, answer=OK) as ding, Listening(status=200, answer=OK) as wecom:
        more = 'levels = ["red"]\npost = "leader"\nlink = "https://city.example/#{case}"'
        text = robot("ding", "dingtalk", f"{ding.url}?access_token=abc", f'{more}\nsecret = "SEC000"')
        text += robot("wecom", "wecom", f"{wecom.url}?key=abc", more + '\nat = ["13911112222"]')
        with telling(town, tmp_path, text, roster):
            at = now_ms()
            town.read(GAS_EAST, "gas.methane", 12, t=at)
            town.read(GAS_EAST, "gas.methane", 13, t=at + 61_000)
            town.read(GAS_EAST, "gas.methane", 55, t=at + 62_000)
            case = town.case_of(GAS_EAST)
            until(lambda: ding.posts and wecom.posts, "both robots")
            states = lambda: {name: one["state"] for name, one in receipts(town, case["id"]).items()}  # noqa: E731
            until(lambda: len(states()) == 2, "receipts")
            assert set(states().values()) == {"taken"}
        assert "access_token" not in caplog.text
        (post,) = ding.posts
        query = parse_qs(urlsplit(post.path).query)
        signed = hmac.new(b"SEC000", f"{query['timestamp'][0]}\nSEC000".encode(), hashlib.sha256).digest()
        assert query["sign"] == [base64.b64encode(signed).decode()]
        assert post.said["msgtype"] == "text"
        assert post.said["at"] == {"atMobiles": ["13800000001"], "isAtAll": False}
        said = post.said["text"]["content"]
        assert said.startswith("【统管】红色·燃气浓度超限·红色升级\n案件：WO-")
        assert "地点：第1网格" in said
        assert f"https://city.example/#{case['id']}" in said
        (post,) = wecom.posts
        assert post.said["text"]["mentioned_mobile_list"] == ["13911112222", "13800000001"]
        assert parse_qs(urlsplit(post.path).query) == {"key": ["abc"]}


def test_a_robot_that_says_no_is_asked_again_and_given_up_in_the_end(town: Town, tmp_path: Path) -> None:
    with Listening(status=200, answer=b'{"errcode":310000,"errmsg":"sign not match"}') as robots:
        with telling(town, tmp_path, robot("no", "dingtalk", robots.url, 'events = ["comment"]\ngive_up = "500ms"')):
            case = town.case_of(DRAIN_EAST)
            with town.client("operator") as client:
                path = f"/api/v1/cases/{case['id']}/moves"
                move = {"move": "comment", "note": "市民电话13812345678，已联系"}
                assert client.post(path, json=move, headers={"if-match": f'"{case["version"]}"'}).status_code == 200
            seq = case["seq"] + 1
            until(lambda: receipts(town, case["id"]).get(("robot:no", seq), {}).get("state") == "given_up", "the end")
        assert len(robots.posts) > 1
        assert "138****5678" in robots.posts[0].said["text"]["content"]
        assert "13812345678" not in robots.posts[0].body.decode()
        assert "sign not match" in str(receipts(town, case["id"])["robot:no", seq]["answer"])


def test_a_robot_is_told_so_many_messages_a_minute(town: Town, tmp_path: Path) -> None:
    with Listening(status=200, answer=OK) as robots:
        text = robot("slow", "wecom", robots.url, 'events = ["comment"]\nper_minute = 2')
        with telling(town, tmp_path, text) as beside:
            for number in range(3):
                case = town.case_of(DRAIN_EAST)
                with town.client("operator") as client:
                    path = f"/api/v1/cases/{case['id']}/moves"
                    headers = {"if-match": f'"{case["version"]}"'}
                    move = {"move": "comment", "note": f"第{number}条"}
                    assert client.post(path, json=move, headers=headers).status_code == 200
            until(lambda: beside.progress()["robot:slow"][1].next_t > now_ms(), "the pause")
            assert [post.said["text"]["content"].splitlines()[-1] for post in robots.posts] == ["第0条", "第1条"]
            assert beside.progress()["robot:slow"][1].failed == 0


def test_an_exercise_is_told_to_nobody(town: Town, tmp_path: Path) -> None:
    with Listening() as duty, telling(town, tmp_path, webhook("real", duty.url)):
        for number, drill in enumerate((True, False)):
            report = {"category": "0405", "text": "积水", "drill": drill, "lon": 120.8003, "lat": 29.6003}
            with town.client("operator") as client:
                key = {"idempotency-key": f"exercise-{number}"}
                assert client.post("/api/v1/cases", json=report, headers=key).status_code == 201
        until(lambda: duty.posts, "the real one")
        assert [post.said["case"]["drill"] for post in duty.posts] == [False]
