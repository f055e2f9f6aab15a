"""值班表: who is on duty, over midnight, by turns and by substitution; and every fault of its file."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.casework.duty import RosterFile
from engine.casework.roster_file import RosterRefused

TZ = "Asia/Shanghai"
ROSTER = """
posts:
  leader: 值班领导
  desk: 受理席
people:
  王强: {phone: "13800000001"}
  李娜: {phone: "13800000002"}
  赵军:
  周敏:
shifts:
  day: {title: 白班, from: "08:00", to: "20:00"}
  night: {title: 夜班, from: "20:00", to: "08:00"}
duties:
  - {post: leader, shift: day, from: 2026-07-17, to: 2026-07-20, turns: [王强, 李娜]}
  - {post: leader, shift: night, date: 2026-07-18, people: [赵军]}
  - {post: desk, shift: night, date: 2026-07-18, people: [周敏, 李娜]}
substitutions:
  - {date: 2026-07-19, post: leader, shift: day, out: 王强, in: 赵军, reason: 病假}
"""
SHEET = """date,post,shift,from,to,name,phone,instead_of
2026-07-18,值班领导,白班,08:00,20:00,王强,13800000001,
2026-07-18,值班领导,夜班,20:00,08:00,赵军,,李娜
"""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(TZ)).timestamp() * 1000)


def written(folder: Path, text: str, name: str = "duty.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def names(file: RosterFile, post: str, moment: str) -> list[str]:
    return [one.name for one in file.roster().at(post, at(moment))]


def test_a_shift_begins_at_its_start_and_ends_before_its_end_also_over_midnight(tmp_path: Path) -> None:
    file = RosterFile(written(tmp_path, ROSTER), TZ)
    moments = ("2026-07-18T19:59:59", "2026-07-18T20:00", "2026-07-19T00:00", "2026-07-19T07:59:59", "2026-07-19T08:00")
    assert [names(file, "leader", moment) for moment in moments] == [["李娜"], ["赵军"], ["赵军"], ["赵军"], ["赵军"]]
    assert [names(file, "desk", moment) for moment in moments] == [
        [],
        ["周敏", "李娜"],
        ["周敏", "李娜"],
        ["周敏", "李娜"],
        [],
    ]


def test_turns_take_a_day_each_and_a_substitute_stands_in(tmp_path: Path) -> None:
    file = RosterFile(written(tmp_path, ROSTER), TZ)
    noons = [names(file, "leader", f"2026-07-{day}T12:00") for day in (16, 17, 18, 19, 20, 21)]
    assert noons == [[], ["王强"], ["李娜"], ["赵军"], ["李娜"], []]
    (stint,) = file.roster().at("leader", at("2026-07-19T12:00"))
    assert (stint.instead_of, stint.shift) == ("王强", "白班")


def test_the_view_names_posts_with_those_of_now_and_of_the_next_shift(tmp_path: Path) -> None:
    file = RosterFile(written(tmp_path, ROSTER), TZ)
    leader, desk = file.view(at("2026-07-18T12:00"), plain=True).posts
    assert (leader.title, [one.phone for one in leader.now]) == ("值班领导", ["13800000002"])
    assert [(one.name, one.start_t) for one in leader.next] == [("赵军", at("2026-07-18T20:00"))]
    assert (desk.now, [one.name for one in desk.next]) == ([], ["周敏", "李娜"])
    masked = file.view(at("2026-07-18T12:00"), plain=False).posts[0].now[0]
    assert masked.phone == "138****0002"


def test_a_sheet_says_the_same_a_row_a_stint(tmp_path: Path) -> None:
    file = RosterFile(written(tmp_path, "\ufeff" + SHEET, "duty.csv"), TZ)
    assert names(file, "值班领导", "2026-07-18T12:00") == ["王强"]
    (stint,) = file.roster().at("值班领导", at("2026-07-19T03:00"))
    assert (stint.name, stint.instead_of, stint.shift) == ("赵军", "李娜", "夜班")


def test_where_clocks_change_a_shift_is_as_long_as_the_night_is(tmp_path: Path) -> None:
    text = "date,post,from,to,name\n2026-10-24,leader,20:00,08:00,Anna\n"
    (stint,) = RosterFile(written(tmp_path, text, "duty.csv"), "Europe/Berlin").roster().at("leader", 1_792_893_600_000)
    assert stint.end_t - stint.start_t == 13 * 3_600_000


FAULTY = """
posts: {leader: 值班领导, leader2: 副班}
people: {王强: , 李娜: {mobile: "1"}}
shifts: {day: {from: "8:00", to: "20:00"}, night: {from: "20:00", to: "08:00"}}
duties:
  - {post: nobody, shift: night, date: 2026-07-18, people: [王强]}
  - {post: leader, shift: late, date: 2026-07-18, people: [王强]}
  - {post: leader, shift: night, date: 2026-13-01, people: [王强]}
  - {post: leader, shift: night, date: 2026-07-18, people: [孙二]}
  - {post: leader, shift: night, from: 2026-07-20, to: 2026-07-18, people: [王强]}
  - {post: leader, shift: night, date: 2026-07-18, people: [王强], turns: [李娜]}
  - {post: leader, shift: night, people: [王强]}
  - {post: leader, shift: night, date: 2026-07-22, people: [王强]}
  - {post: leader2, shift: night, date: 2026-07-22, people: [王强]}
  - night
substitutions:
  - {date: 2026-07-23, post: leader, shift: night, out: 王强, in: 李娜}
"""


def test_every_fault_of_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(RosterRefused) as refused:
        RosterFile(written(tmp_path, FAULTY), TZ)
    said = "\n".join(refused.value.faults)
    for fault in (
        "unknown: ['mobile']",
        "shifts.day.from: must be a time as \"08:00\", in quotes; got '8:00'",
        "duty.yaml:6: no post 'nobody'",
        "duty.yaml:7: no shift 'late'",
        "duty.yaml:8: date: must be a date as 2026-07-18",
        "duty.yaml:9: '孙二' is not among people",
        "duty.yaml:10: from 2026-07-20 to 2026-07-18: must be 1 to 731 days",
        "duty.yaml:11: needs either people (together) or turns",
        "duty.yaml:12: needs either date, or from and to",
        "duty.yaml:14: 王强 is on duty at leader at that time already (duty.yaml:13)",
        "must be a mapping with",
        "duty.yaml:17: 王强 is not on duty at leader in shift night of 2026-07-23",
    ):
        assert fault in said, fault
    assert len(refused.value.faults) == 12


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("duty.yaml", "posts: [", "while parsing"),
        ("duty.yaml", "- 1", "must be a mapping"),
        ("duty.yaml", "posts: {}", "missing: ['duties', 'shifts']"),
        ("duty.csv", "date,name\n", "columns missing: ['from', 'post', 'to']"),
        ("duty.csv", "date,post,from,to,name\n2026-07-18,a,08:00,25:00,\n", "to: must be a time"),
        ("duty.csv", "date,post,from,to,name\n2026-07-18,a,08:00,20:00,\n", "name is empty"),
        ("duty.csv", 'date,post,from,to,name\n"2026-07-18', "unexpected end of data"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(RosterRefused) as refused:
        RosterFile(written(tmp_path, text, name), TZ)
    assert said in "\n".join(refused.value.faults)


def test_a_file_that_was_changed_is_read_again_and_a_faulty_one_is_told_while_the_one_before_holds(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, SHEET, "duty.csv")
    file = RosterFile(path, TZ)
    path.write_text(SHEET.replace("王强", "王小强"), encoding="utf-8")
    assert names(file, "值班领导", "2026-07-18T12:00") == ["王小强"]
    path.write_text("date,post\n", encoding="utf-8")
    assert names(file, "值班领导", "2026-07-18T12:00") == ["王小强"]
    assert "columns missing" in file.view(0, plain=True).faults[0]
    path.unlink()
    assert "No such file" in file.view(0, plain=True).faults[0]
    path.write_text(SHEET, encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert names(file, "值班领导", "2026-07-18T12:00") == ["王强"]
    assert file.view(0, plain=True).faults == []


def test_without_a_file_nobody_is_on_duty() -> None:
    assert RosterFile(None, TZ).view(0, plain=True).posts == []
