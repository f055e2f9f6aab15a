"""`tongguan rules`: what the rules say, whether they can be used, and whether they do what their authors meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.detect.batch import RecordBatch
from engine.detect.changes import encode
from engine.detect.detector import Detector
from geo.city import load as load_city
from geo.errors import FileRefused
from geo.zones import ZoneSet, load_zones
from rules.catalogue import Catalogue, load_catalogue
from rules.civil import CITY_TZ, known_zone
from rules.errors import CatalogueRefused, KindsRefused
from rules.faults import Fault
from rules.kinds import Kinds, load_kinds
from rules.load import load_rules, trial_path
from rules.model import Enabled, Rule
from rules.plan import Plan
from rules.sentences import explain
from rules.trial_file import load_trials
from rules.trials import Played, Trials, Verdict, clock, judge

app = typer.Typer(no_args_is_help=True, help="Rules: check them, list them, explain them, play their test cases.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of rule files, searched with its folders.")]
KindsFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The city's own kinds: YAML.")]
ZonesFolder = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Folder of <set>.geojson; default the shipped city's.")
]
CategoriesFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="The city's own categories and departments: YAML.")
]
ZoneName = Annotated[str, typer.Option(metavar="Z", help="Time zone of the city.")]

_LEVELS = {"blue": "蓝", "yellow": "黄", "orange": "橙", "red": "红"}


@dataclass(frozen=True, slots=True)
class _Read:
    """Rules of a folder with what they were read against, and every fault of rules and trials."""

    rules: tuple[Rule, ...]
    trials: Mapping[str, Trials]
    faults: tuple[Fault, ...]
    kinds: Kinds
    zones: Mapping[str, ZoneSet]
    tz: str


@app.command()
def check(
    folder: Folder,
    kinds: KindsFile = None,
    zones: ZonesFolder = None,
    categories: CategoriesFile = None,
    tz: ZoneName = CITY_TZ,
) -> None:
    """Name every fault of every rule and test file; exit 1 if there is one.

    With --categories a case must be of a category and for a department that are known.

    Example: tongguan rules check rules/library
    """
    read = _read(folder, kinds, zones, tz)
    faults = [*read.faults, *([] if categories is None else _catalogue(categories).unknown(read.rules))]
    for fault in faults:
        typer.echo(str(fault))
    cases = sum(len(trials.trials) for trials in read.trials.values())
    typer.echo(f"{len(read.rules)} rules, {cases} test cases, {len(faults)} faults", err=bool(faults))
    raise typer.Exit(1 if faults else 0)


@app.command(name="list")
def list_rules(
    folder: Folder,
    kinds: KindsFile = None,
    zones: ZonesFolder = None,
    tz: ZoneName = CITY_TZ,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page of documentation.")] = False,
) -> None:
    """Show the rules of a folder in a table.

    Example: tongguan rules list rules/library
    """
    loaded = _read(folder, kinds, zones, tz, complete=False)
    if markdown:
        typer.echo(library_page(loaded.rules), nl=False)
        _report(loaded.faults)
        return
    table = Table()
    for heading in ("id", "version", "title", "reads", "levels", "case"):
        table.add_column(heading, overflow="fold")
    for rule in loaded.rules:
        title = rule.title + ("" if rule.enabled is Enabled.ON else f" ({rule.enabled.value})")
        table.add_row(rule.id, str(rule.version), title, ", ".join(rule.reads), _levels(rule), _case(rule))
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    _report(loaded.faults)


@app.command(name="explain")
def explain_rules(
    folder: Folder,
    rule: Annotated[list[str] | None, typer.Option(help="Only this one, by its id; may stand several times.")] = None,
    lang: Annotated[str, typer.Option(help="zh, en or both.")] = "both",
    kinds: KindsFile = None,
    zones: ZonesFolder = None,
    categories: CategoriesFile = None,
    tz: ZoneName = CITY_TZ,
) -> None:
    """Say in sentences what the rules of a folder do, in Chinese and in English.

    Example: tongguan rules explain rules/library --rule fire.flame_seen --lang zh
    """
    if lang not in ("zh", "en", "both"):
        raise typer.BadParameter(f"--lang must be zh, en or both; got {lang!r}")
    read, catalogue = _read(folder, kinds, zones, tz, complete=False), _catalogue(categories)
    known = {one.id: one for one in read.rules}
    if missing := [one for one in rule or () if one not in known]:
        raise typer.BadParameter(f"--rule must be one of {', '.join(known)}; got {', '.join(missing)}")
    for one in rule or known:
        typer.echo(explained(known[one], read.kinds, catalogue, lang))
    _report(read.faults)


@app.command(name="test")
def play_tests(folder: Folder, kinds: KindsFile = None, zones: ZonesFolder = None, tz: ZoneName = CITY_TZ) -> None:
    """Play every *.test.yaml through the detector and compare whole changes; exit 1 if one differs.

    Example: tongguan rules test rules/library
    """
    read = _read(folder, kinds, zones, tz)
    verdicts = [(rule, verdict) for rule in read.rules if rule.id in read.trials for verdict in _played(rule, read)]
    for rule, verdict in verdicts:
        _tell(rule, read.trials[rule.id].path, verdict)
    failed = sum(not verdict.passed for _, verdict in verdicts)
    typer.echo(f"{len(verdicts) - failed} passed, {failed} failed, {len(read.rules)} rules")
    _report(read.faults)
    raise typer.Exit(1 if failed or read.faults else 0)


def explained(rule: Rule, kinds: Kinds, catalogue: Catalogue, lang: str) -> str:
    """Return a rule's sentences as a paragraph a language."""
    said = explain(rule, kinds, catalogue)
    lines = [f"{rule.id}  {rule.title}  v{rule.version}"]
    lines += ["  " + "".join(sentence.zh for sentence in said)] if lang in ("zh", "both") else []
    lines += ["  " + " ".join(sentence.en for sentence in said)] if lang in ("en", "both") else []
    return "\n".join(lines) + "\n"


def library_page(rules: Sequence[Rule]) -> str:
    """Return the table of rules as Markdown, a row a rule."""
    lines = [
        "# The rules that ship",
        "",
        f"{len(rules)} rules; this page is what `tongguan rules list rules/library --markdown` prints. Each stands in "
        "`rules/library/<domain>/<name>.yaml` with its source and runbook, and its test cases beside it.",
        "`tongguan rules explain rules/library` says in sentences what each does. Thresholds that are marked (general) "
        "in a rule's source are defaults to be confirmed by the city.",
        "",
        "| rule | title | reads | levels | case |",
        "|---|---|---|---|---|",
    ]
    for rule in rules:
        cells = (f"`{rule.id}`", rule.title, ", ".join(rule.reads), _levels(rule), _case(rule))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def play(plan: Plan, lines: Sequence[bytes]) -> Played:
    """Run a whole offline log through the detector, as `tongguan detect` does."""
    detector = Detector(offline_plan=plan)
    outputs = [detector.step(RecordBatch.from_records(list(lines))), detector.finish()]
    changes = [encode(item) for output in outputs for item in output.items.changes]
    refused = [f"line {row.offset}: {row.reason} {row.detail}" for output in outputs for row in output.rejects]
    refused += [f"line {row.offset}: {row.reason}" for output in outputs for row in output.late]
    return Played(changes, refused)


def _played(rule: Rule, read: _Read) -> list[Verdict]:
    trials = read.trials[rule.id]
    zones = {**read.zones, **trials.zones}
    zones = {name: zones[name] for name in rule.zones}
    rule = replace(rule, enabled=Enabled.ON)
    return [judge(rule, trial, play, kinds=read.kinds, zones=zones, tz=read.tz) for trial in trials.trials]


def _read(folder: Path, kinds: Path | None, zones: Path | None, tz: str, *, complete: bool = True) -> _Read:
    """Read all; exit 2 where what the rules stand on cannot be read. A folder without a rule has a fault."""
    if not known_zone(tz):
        raise typer.BadParameter(f"--tz must be a time zone such as Asia/Shanghai; got {tz!r}")
    try:
        known = load_kinds(kinds)
        sets = load_zones(zones) if zones is not None else load_city().zones
    except (KindsRefused, FileRefused) as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(2) from None
    loaded = load_rules(folder, kinds=known, zones=sets, tz=tz, complete=complete)
    faults = list(loaded.faults)
    if not loaded.rules and not faults:
        faults.append(Fault(str(folder), 0, 0, "file", "must hold rule files, <domain>/<name>.yaml", "none"))
    trials: dict[str, Trials] = {}
    for rule in loaded.rules if complete else ():
        if rule.correlate is None:
            found, wrong = load_trials(trial_path(Path(rule.path)), rule, tz)
            faults += wrong
            trials |= {} if found is None else {rule.id: found}
    return _Read(loaded.rules, trials, tuple(sorted(faults)), known, sets, tz)


def _catalogue(path: Path | None) -> Catalogue:
    try:
        return load_catalogue(path)
    except CatalogueRefused as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(2) from None


def _report(faults: Sequence[Fault]) -> None:
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)


def _tell(rule: Rule, path: str, verdict: Verdict) -> None:
    typer.echo(f"{'ok    ' if verdict.passed else 'FAILED'} {rule.id}: {verdict.trial.name}")
    if verdict.passed:
        return
    typer.echo(f"       {path}:{verdict.trial.line}")
    for title, changes in (("expected, did not come", verdict.missing), ("came, not expected", verdict.unexpected)):
        for change in changes:
            typer.echo(f"       {title}: {change}")
    for refused in verdict.refused:
        typer.echo(f"       not judged: {refused}")


def _levels(rule: Rule) -> str:
    if rule.correlate is not None:
        return f"{_LEVELS[rule.correlate.level.word]} together"
    words = []
    for level in rule.levels:
        held = f" for {clock(level.for_ms)}" if level.for_ms else ""
        words.append(_LEVELS[level.name.word] + (f" {level.set}{held}" if level.set is not None else " absent"))
    return ", ".join(words)


def _case(rule: Rule) -> str:
    if rule.case is None:
        return "warning only"
    return f"{rule.case.category} {rule.case.department}, {rule.case.auto}, {rule.case.close}"
