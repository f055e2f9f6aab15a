"""Every fault of a rule file is named with its place, all at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rules.load import load_rules

HEAD = "id: gas.leak\nreads: gas.methane\n"
LEVELS = 'levels: {yellow: {set: ">= 10"}}\n'


def faults_of(
    folder: Path, text: str | bytes, *, zones: tuple[str, ...] = ("school",), complete: bool = False
) -> list[str]:
    """Load one file and return its faults as `line:column: …`."""
    path = folder / "leak.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    loaded = load_rules(folder, zones=zones, complete=complete)
    assert bool(loaded.faults) is not bool(loaded.rules)
    return [str(fault).removeprefix(f"{path}:") for fault in loaded.faults]


ONE_FAULT = {
    "an unknown key": (
        HEAD + LEVELS + "color: red\n",
        "4:1: color: unknown key; known are id, version, title, source, runbook, reads, where, measure, window, "
        'levels, clear_for, max_gap, quiet, absent, schedule, correlate, case, enabled; got "red"',
    ),
    "a key of YAML 1.1's merge": (
        HEAD + LEVELS + "<<: {}\n",
        "4:1: <<: unknown key; known are id, version, title, source, runbook, reads, where, measure, window, "
        "levels, clear_for, max_gap, quiet, absent, schedule, correlate, case, enabled; got {}",
    ),
    "a key of correlations in a rule that reads": (
        HEAD + LEVELS + "within: 2m\n",
        "4:1: within: unknown key; known are id, version, title, source, runbook, reads, where, measure, window, "
        'levels, clear_for, max_gap, quiet, absent, schedule, correlate, case, enabled; got "2m"',
    ),
    "a duplicate key": (
        HEAD + LEVELS + "id: gas.other\n",
        '4:1: id: a key must stand once (first on line 1); got "gas.other"',
    ),
    "a duplicate level": (
        HEAD + 'levels:\n  red: {set: "> 1"}\n  red: {set: "> 2"}\n',
        '5:3: levels.red: a key must stand once (first on line 4); got {set: "> 2"}',
    ),
    "no id": ("reads: gas.methane\n" + LEVELS, "1:1: id: is required; got nothing"),
    "an id in capitals": (
        "id: Gas.Leak\nreads: gas.methane\n" + LEVELS,
        '1:5: id: must be <domain>.<name>, lower case; got "Gas.Leak"',
    ),
    "an id that would break an episode's name": (
        "id: gas|leak.x\nreads: gas.methane\n" + LEVELS,
        '1:5: id: must be <domain>.<name>, lower case; got "gas|leak.x"',
    ),
    "an id that is a path": (
        "id: ../../etc.passwd\nreads: gas.methane\n" + LEVELS,
        '1:5: id: must be <domain>.<name>, lower case; got "../../etc.passwd"',
    ),
    "no reads": ("id: gas.leak\n" + LEVELS, "1:1: reads: is required; got nothing"),
    "reads nothing": (
        "id: gas.leak\nreads: []\n" + LEVELS,
        "2:8: reads: must be a kind, a list of kinds, or domain.*; got []",
    ),
    "no levels": (HEAD, "1:1: levels: is required; got nothing"),
    "an empty file": ("", "1:1: file: must be a mapping of keys; got nothing"),
    "a list": ("- 1\n", "1:1: file: must be a mapping of keys; got [1]"),
    "empty levels": (HEAD + "levels: {}\n", "3:9: levels: must have at least one level; got {}"),
    "an unknown level": (
        HEAD + 'levels: {purple: {set: "> 1"}}\n',
        '3:10: levels.purple: unknown key; known are blue, yellow, orange, red; got {set: "> 1"}',
    ),
    "a level that is no mapping": (
        HEAD + 'levels: {red: "> 1"}\n',
        '3:15: levels.red: must be a mapping of keys; got "> 1"',
    ),
    "a level without set": (HEAD + "levels: {red: {for: 1s}}\n", "3:15: levels.red.set: is required; got nothing"),
    "a set that is a number": (
        HEAD + "levels: {red: {set: 10}}\n",
        "3:21: levels.red.set: must be a comparison, one of > >= < <= == != and a number, in quotes; got 10",
    ),
    "a set without a number": (
        HEAD + 'levels: {red: {set: ">= ten"}}\n',
        '3:21: levels.red.set: must be a comparison, one of > >= < <= == != and a number, in quotes; got ">= ten"',
    ),
    "a set beyond doubles": (
        HEAD + 'levels: {red: {set: ">= 1e400"}}\n',
        '3:21: levels.red.set: must be a comparison, one of > >= < <= == != and a number, in quotes; got ">= 1e400"',
    ),
    "a set with NaN": (
        HEAD + 'levels: {red: {set: ">= nan"}}\n',
        '3:21: levels.red.set: must be a comparison, one of > >= < <= == != and a number, in quotes; got ">= nan"',
    ),
    "a duration without a unit": (
        HEAD + LEVELS + "clear_for: 120\n",
        "4:12: clear_for: must be a duration, one whole number and ms, s, m, h or d; got 120",
    ),
    "a duration of parts": (
        HEAD + LEVELS + "clear_for: 1.5m\n",
        '4:12: clear_for: must be a duration, one whole number and ms, s, m, h or d; got "1.5m"',
    ),
    "a negative duration": (
        HEAD + LEVELS + "max_gap: -1s\n",
        '4:10: max_gap: must be a duration, one whole number and ms, s, m, h or d; got "-1s"',
    ),
    "a duration of ages": (
        HEAD + LEVELS + "quiet: 999999999999d\n",
        '4:8: quiet: must be from 0 ms to 36500d; got "999999999999d"',
    ),
    "a version that is a text": (
        HEAD + LEVELS + 'version: "1"\n',
        '4:10: version: must be a whole number from 0 to 2147483647; got "1"',
    ),
    "a version that is true": (
        HEAD + LEVELS + "version: true\n",
        "4:10: version: must be a whole number from 0 to 2147483647; got true",
    ),
    "a title that is a number": (
        HEAD + LEVELS + "title: 7\n",
        "4:8: title: must be a text that is not empty (quote it); got 7",
    ),
    "enabled: maybe": (
        HEAD + LEVELS + "enabled: maybe\n",
        '4:10: enabled: must be true, false or shadow; got "maybe"',
    ),
    "enabled: yes is a text in YAML 1.2": (
        HEAD + LEVELS + "enabled: yes\n",
        '4:10: enabled: must be true, false or shadow; got "yes"',
    ),
    "where that is a list": (HEAD + LEVELS + "where: [v]\n", '4:8: where: must be an expression; got ["v"]'),
    "where that is empty": (HEAD + LEVELS + "where:\n", "4:1: where: must be an expression; got nothing"),
    "where that is a number": (
        HEAD + LEVELS + "where: v\n",
        "4:8: where: must be a boolean (at character 1 of the expression); got a number",
    ),
    "where with a type that can never fit": (
        HEAD + LEVELS + 'where: v + "a" > 1\n',
        "4:8: where: + needs numbers on both sides (at character 5 of the expression); got a string",
    ),
    "where with an unknown zone set": (
        HEAD + LEVELS + 'where: inside("../../../etc/passwd")\n',
        "4:8: where: must name a zone set that exists (school) (at character 8 of the expression); "
        "got ../../../etc/passwd",
    ),
    "a measure that is a text": (
        HEAD + LEVELS + "measure: sensor\n",
        "4:10: measure: must be a number or a boolean (at character 1 of the expression); got a string",
    ),
    "a window without over": (
        HEAD + LEVELS + "window: {agg: sum}\n",
        "4:9: window.over: is required; got nothing",
    ),
    "an unknown aggregate": (
        HEAD + LEVELS + "window: {agg: median, over: 5m}\n",
        '4:15: window.agg: must be one of sum, count, mean, min, max, delta, rate, range; got "median"',
    ),
    "a step below a second": (
        HEAD + LEVELS + "window: {agg: sum, over: 10s, step: 500ms}\n",
        '4:37: window.step: must be from 1000 ms to 36500d; got "500ms"',
    ),
    "a step that does not divide over": (
        HEAD + LEVELS + "window: {agg: sum, over: 10m, step: 4m}\n",
        '4:37: window.step: must divide window.over; got "4m"',
    ),
    "a default step of a second that does not divide over": (
        HEAD + LEVELS + "window: {agg: sum, over: 1500ms}\n",
        "4:9: window.step: is required: over/60 does not divide 1500 ms; got nothing",
    ),
    "a default step that is not whole milliseconds": (
        HEAD + LEVELS + "window: {agg: sum, over: 61001ms}\n",
        "4:9: window.step: is required: over/60 does not divide 61001 ms; got nothing",
    ),
    "a window of more panes than memory": (
        HEAD + LEVELS + "window: {agg: sum, over: 3650d, step: 1s}\n",
        "4:9: window: must have at most 100000 panes (over / step); got 315360000",
    ),
    "a higher level that is less strict": (
        HEAD + 'levels:\n  orange: {set: ">= 25"}\n  red: {set: ">= 20"}\n',
        "5:14: levels.red.set: must be stricter than levels.orange.set (>= 25); got >= 20",
    ),
    "a higher level that is as strict": (
        HEAD + 'levels:\n  orange: {set: ">= 25"}\n  red: {set: ">= 25"}\n',
        "5:8: levels.red.for: must be longer than levels.orange.for (0 ms), since both set at >= 25; got 0 ms",
    ),
    "a higher level as strict, held as long": (
        HEAD + 'levels:\n  orange: {set: ">= 25", for: 1m}\n  red: {set: ">= 25", for: 60s}\n',
        "5:28: levels.red.for: must be longer than levels.orange.for (60000 ms), since both set at >= 25; got 60000 ms",
    ),
    "a higher level that includes its bound": (
        HEAD + 'levels:\n  orange: {set: "> 25"}\n  red: {set: ">= 25"}\n',
        "5:14: levels.red.set: must be stricter than levels.orange.set (> 25); got >= 25",
    ),
    "levels that point two ways": (
        HEAD + 'levels:\n  orange: {set: ">= 25"}\n  red: {set: "< 5"}\n',
        "5:14: levels.red.set: must point the same way as levels.orange.set (>= 25); got < 5",
    ),
    "falling levels in the wrong order": (
        HEAD + 'levels:\n  orange: {set: "<= 5"}\n  red: {set: "<= 6"}\n',
        "5:14: levels.red.set: must be stricter than levels.orange.set (<= 5); got <= 6",
    ),
    "== in a rule of two levels": (
        HEAD + 'levels:\n  orange: {set: "== 25"}\n  red: {set: ">= 50"}\n',
        "4:17: levels.orange.set: == and != may stand in rules of one level only; got == 25",
    ),
    "== as a clear in a rule of two levels": (
        HEAD + 'levels:\n  orange: {set: "< 3", clear: "== 5"}\n  red: {set: "< 1"}\n',
        "4:31: levels.orange.clear: == and != may stand in rules of one level only; got == 5",
    ),
    "a clear by != that the set is part of": (
        HEAD + 'levels: {red: {set: "< 3", clear: "!= 2"}}\n',
        "3:35: levels.red.clear: no value may both set (< 3) and clear a level; got != 2",
    ),
    "a value that sets and clears": (
        HEAD + 'levels: {red: {set: ">= 10", clear: "<= 10"}}\n',
        "3:37: levels.red.clear: no value may both set (>= 10) and clear a level; got <= 10",
    ),
    "values between that set and clear": (
        HEAD + 'levels: {red: {set: "> 10", clear: "< 12"}}\n',
        "3:36: levels.red.clear: no value may both set (> 10) and clear a level; got < 12",
    ),
    "a clear on the side of the set": (
        HEAD + 'levels: {red: {set: "> 10", clear: "> 20"}}\n',
        "3:36: levels.red.clear: no value may both set (> 10) and clear a level; got > 20",
    ),
    "quiet in a rule that a sensor closes": (
        HEAD + LEVELS + 'quiet: 5m\ncase: {category: "0401", department: gas, close: sensor}\n',
        "4:1: quiet: cannot stand together with case.close: sensor; silence is no proof; got both",
    ),
    "a window of the last readings, none of them": (
        HEAD + LEVELS + "window: {agg: count, over: 1m, last: 0}\n",
        "4:38: window.last: must be a whole number from 1 to 1000; got 0",
    ),
    "a window of the last readings with panes": (
        HEAD + LEVELS + "window: {agg: mean, over: 1m, last: 5, step: 1s}\n",
        "4:40: window.step: cannot stand in a window with last; got both",
    ),
    "a window of the last readings of any age": (
        HEAD + LEVELS + "window: {agg: mean, last: 5}\n",
        "4:9: window.over: is required; got nothing",
    ),
    "more readings than the last ones": (
        HEAD + 'levels: {red: {set: ">= 6", clear: "< 1"}}\nwindow: {agg: count, over: 1m, last: 5}\n',
        "3:21: levels.red.set: must hold for some count of at most 5 readings; got >= 6",
    ),
    "fewer readings than none": (
        HEAD + 'levels: {red: {set: ">= 3", clear: "< 0"}}\nwindow: {agg: count, over: 1m, last: 5}\n',
        "3:36: levels.red.clear: must hold for some count of at most 5 readings; got < 0",
    ),
    "a range below nothing": (
        HEAD + 'levels: {red: {set: "< 0"}}\nwindow: {agg: range, over: 1m}\n',
        "3:21: levels.red.set: must hold for some range, which is never below 0; got < 0",
    ),
    "absent spans of no schedule": (
        HEAD + "absent: span\nlevels: {red: {}}\n",
        "3:9: absent: must stand with a schedule, whose spans it means; got no schedule",
    ),
    "absent spans that never end": (
        HEAD + 'absent: span\nlevels: {red: {}}\nschedule: {active: [{from: "00:00", to: "24:00"}]}\n',
        '5:11: schedule: must begin and end, so that there are spans; got {active: [{from: "00:00", to…}',
    ),
    "absent for something else": (
        HEAD + "absent: long\nlevels: {red: {}}\n",
        '3:9: absent: must be a duration, one whole number and ms, s, m, h or d, or span with a schedule; got "long"',
    ),
    "absent with a filled level": (
        HEAD + "absent: 30m\n" + LEVELS,
        '4:18: levels.yellow: must be empty, {}, in a rule with absent; got {set: ">= 10"}',
    ),
    "absent with two levels": (
        HEAD + "absent: 30m\nlevels: {yellow: {}, red: {}}\n",
        "4:9: levels: must be exactly one level in a rule with absent; got yellow, red",
    ),
    "a category that lost its nought": (
        HEAD + LEVELS + "case: {category: 0401, department: gas}\n",
        '4:18: case.category: must be a code in quotes, such as "0401"; got 0401',
    ),
    "a case without department": (
        HEAD + LEVELS + 'case: {category: "0401"}\n',
        "4:7: case.department: is required; got nothing",
    ),
    "a case that goes too far": (
        HEAD + LEVELS + 'case: {category: "0401", department: gas, auto: close}\n',
        '4:49: case.auto: must be one of report, file, dispatch; got "close"',
    ),
    "a merge by two keys": (
        HEAD + LEVELS + 'case: {category: "0401", department: gas, merge: {by: grid, near: {metres: 5}}}\n',
        "4:50: case.merge: must have one of by and near; got both",
    ),
    "a merge over no distance": (
        HEAD + LEVELS + 'case: {category: "0401", department: gas, merge: {near: {metres: 0}}}\n',
        "4:66: case.merge.near.metres: must be above 0 and at most 100000; got 0",
    ),
    "a schedule in an unknown zone": (
        HEAD + LEVELS + 'schedule: {tz: Mars/Base, active: [{from: "08:00", to: "18:00"}]}\n',
        '4:16: schedule.tz: must be a time zone of the IANA database; got "Mars/Base"',
    ),
    "a schedule both ways": (
        HEAD + LEVELS + "schedule: {active: [], inactive: []}\n",
        "4:11: schedule: must have one of active and inactive; got both",
    ),
    "a schedule with an unknown day": (
        HEAD + LEVELS + 'schedule: {active: [{days: [funday], from: "08:00", to: "18:00"}]}\n',
        '4:29: schedule.active[0].days[0]: must be one of mon, tue, wed, thu, fri, sat, sun; got "funday"',
    ),
    "a span without length": (
        HEAD + LEVELS + 'schedule: {active: [{from: "08:00", to: "08:00"}]}\n',
        '4:41: schedule.active[0].to: must differ from `from`; got "08:00"',
    ),
    "a span from 24:00": (
        HEAD + LEVELS + 'schedule: {active: [{from: "24:00", to: "08:00"}]}\n',
        '4:28: schedule.active[0].from: must be from 00:00 to 23:59; 24:00 ends a day; got "24:00"',
    ),
    "a time of 25 hours": (
        HEAD + LEVELS + 'schedule: {active: [{from: "08:00", to: "25:00"}]}\n',
        '4:41: schedule.active[0].to: must be a time "HH:MM" from "00:00" to "24:00"; got "25:00"',
    ),
    "a correlation without level": (
        "id: a.b\ncorrelate: [{alert: x.y, at_least: red}]\nwithin: 2m\nnear: {metres: 5}\n",
        "1:1: level: is required; got nothing",
    ),
    "a correlation near nothing": (
        "id: a.b\ncorrelate: [{alert: x.y, at_least: red}]\nwithin: 2m\nnear: {}\nlevel: red\n",
        "4:7: near: must have one of metres and same; got {}",
    ),
    "a correlation that reads": (
        "id: a.b\ncorrelate: [{alert: x.y, at_least: red}]\nwithin: 2m\nnear: {same: grid}\nlevel: red\nreads: a.b\n",
        "6:1: reads: unknown key; known are id, version, title, source, runbook, enabled, correlate, within, near, "
        'level, case; got "a.b"',
    ),
    "an unclosed bracket": (
        HEAD + "levels: {\n",
        "4:1: yaml: must be well-formed YAML 1.2; got expected the node content, but found '<stream end>'",
    ),
    "a tab as indentation": (
        "\tid: x\n",
        "1:1: yaml: must be well-formed YAML 1.2; got found character '\\t' that cannot start any token",
    ),
    "two documents": (HEAD + LEVELS + "---\nid: x\n", "4:1: yaml: must be one document; got more"),
    "a tag that builds an object": (
        HEAD + LEVELS + "title: !!python/object/apply:os.system [ls]\n",
        "4:8: yaml: tags are not used here; got tag:yaml.org,2002:python/object/apply:os.system",
    ),
    "an alias of nothing": (HEAD + "levels: *x\n", "3:9: yaml: an alias must follow its anchor; got *x"),
    "a lone surrogate": (
        HEAD + LEVELS + 'title: "\\ud800"\n',
        '4:8: title: must be Unicode text without lone surrogates; got "\\ud800"',
    ),
    "bytes that are not UTF-8": (
        HEAD.encode() + "title: 燃".encode() + b"\xff\n",
        "3:9: file: must be UTF-8; got byte 0xff",
    ),
    "a file of UTF-16": (HEAD.encode("utf-16"), "1:1: file: must be UTF-8; got byte 0xff"),
    "deep nesting": (HEAD + "levels: " + "[" * 3000, "3:32: yaml: must be nested at most 24 deep; got more"),
    "a huge file": (b"#" * 300_000, "0:0: file: must be at most 262144 bytes; got more"),
}


@pytest.mark.parametrize(("text", "fault"), ONE_FAULT.values(), ids=ONE_FAULT.keys())
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str | bytes, fault: str) -> None:
    assert faults_of(tmp_path, text) == [fault]


@pytest.mark.parametrize("name", ["where", "measure", "window", "quiet", "max_gap", "clear_for", "schedule"])
def test_absent_stands_alone(tmp_path: Path, name: str) -> None:
    values = {
        "where": "v > 1",
        "measure": "v",
        "window": "{agg: sum, over: 5m}",
        "schedule": '{active: [{from: "08:00", to: "09:00"}]}',
    }
    text = HEAD + f"absent: 30m\nlevels: {{red: {{}}}}\n{name}: {values.get(name, '5m')}\n"
    assert faults_of(tmp_path, text) == [f"5:1: {name}: cannot stand in a rule with absent; got both"]


def test_an_alias_bomb_ends_in_one_fault(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for last, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join(['*' + last] * 10)}]\n"
    assert faults_of(tmp_path, bomb) == ["5:20: yaml: must hold at most 50000 values, aliases expanded; got more"]


def test_an_alias_within_its_own_anchor_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path, HEAD + "levels: &l {red: *l}\n")[0] == (
        "3:18: yaml: an alias must follow its anchor; got *l"
    )


def test_all_faults_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    text = (
        "id: gas.leak\n"
        "reads: gas.methan\n"
        'where: v + "a" > 1\n'
        "levels:\n"
        '  yellow: {set: ">= 10", clear: "< 12", color: 1}\n'
        '  orange: {set: ">= 9", for: 30}\n'
        "clear_for: 2 m\n"
        "quiet: 5m\n"
        "case: {category: 0401, department: gas, close: sensor}\n"
        "colour: 1\n"
    )
    places = [fault.split(": ")[:2] for fault in faults_of(tmp_path, text)]
    assert places == [
        ["2:8", "reads"],
        ["3:8", "where"],
        ["5:33", "levels.yellow.clear"],
        ["5:41", "levels.yellow.color"],
        ["6:17", "levels.orange.set"],
        ["6:30", "levels.orange.for"],
        ["7:12", "clear_for"],
        ["8:1", "quiet"],
        ["9:18", "case.category"],
        ["10:1", "colour"],
    ]


def test_one_bad_rule_never_stops_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: [\n")
    (tmp_path / "b.yaml").write_text(HEAD + LEVELS)
    (tmp_path / "c.yaml").write_text("id: gas.third\nreads: gas.nothing\n" + LEVELS)
    loaded = load_rules(tmp_path)
    assert [rule.id for rule in loaded.rules] == ["gas.leak"]
    assert [Path(fault.file).name for fault in loaded.faults] == ["a.yaml", "c.yaml"]


def test_of_two_files_with_one_id_the_first_counts(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(HEAD + LEVELS)
    loaded = load_rules(tmp_path)
    assert [rule.path for rule in loaded.rules] == [str(tmp_path / "a.yaml")]
    assert [str(fault) for fault in loaded.faults] == [
        f"{tmp_path}/b.yaml:1:5: id: must be unique (first in {tmp_path}/a.yaml); got gas.leak"
    ]


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    loaded = load_rules(tmp_path / "none")
    assert [str(fault) for fault in loaded.faults] == [
        f"{tmp_path}/none:0:0: file: must be a folder of rules or a rule file; got nothing"
    ]


def test_tests_hidden_files_and_other_files_are_no_rules(tmp_path: Path) -> None:
    for name in ("leak.test.yaml", ".hidden.yaml", "notes.md", ".git/config.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("not: a rule\n")
    assert load_rules(tmp_path) == load_rules(())


def test_a_plain_rule_needs_neither_title_source_version_nor_test(tmp_path: Path) -> None:
    assert faults_of(tmp_path, HEAD + LEVELS) == []


def test_a_complete_rule_needs_them_all(tmp_path: Path) -> None:
    assert faults_of(tmp_path, HEAD + LEVELS, complete=True) == [
        "1:1: source: is required; got nothing",
        "1:1: title: is required; got nothing",
        "1:1: version: is required; got nothing",
    ]


def test_a_complete_rule_is_named_as_its_file_and_has_tests_beside_it(tmp_path: Path) -> None:
    text = HEAD.replace("gas.leak", "gas.seep") + LEVELS + "version: 1\ntitle: 泄漏\nsource: here\n"
    assert faults_of(tmp_path, text, complete=True) == [
        "0:0: test: must have its test cases beside it in leak.test.yaml; got nothing",
        "1:5: id: must end in the name of its file, .leak; got gas.seep",
    ]


def test_a_link_to_nothing_is_a_fault_and_not_a_rule_less(tmp_path: Path) -> None:
    (tmp_path / "leak.yaml").symlink_to(tmp_path / "gone.yaml")
    assert [str(fault) for fault in load_rules(tmp_path).faults] == [
        f"{tmp_path}/leak.yaml:0:0: file: must be readable; got No such file or directory"
    ]


def test_a_fault_stays_on_one_line_whatever_the_names(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.yaml")
    path.write_text(HEAD + LEVELS + '"a\\nb\\ud800": "c\\nd"\n')
    (fault,) = load_rules(tmp_path).faults
    assert str(fault).encode().startswith(f"{tmp_path}/\\udcff.yaml:4:1: a\\nb\\ud800: unknown key; ".encode())
    assert str(fault).endswith('got "c\\nd"')
