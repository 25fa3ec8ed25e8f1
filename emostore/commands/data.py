"""Results in and out: `import` and `export`."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from emostore.commands.shared import fail, opened
from emostore.errors import EmostoreError, MetadataError
from emostore.i18n import explain
from emostore.services import groups, importing, output, preferences
from emostore.services.exports import exporting
from emostore.services.exports.exporting import Format, What
from emostore.services.importing import Given, Imported, Options, Plan, Planned, Refused
from emostore.services.metadata.descriptions import Description, parse_domain, parse_roles, parse_scenario
from emostore.services.views import history_address

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
_STATES = {
    "new": "new",
    "added": "new scores of a known clip",
    "stored": "there already",
    "twin": "the same as another one here",
}


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("import")(read_results)
    app.command("export")(write_results)


def read_results(
    paths: Annotated[list[Path], typer.Argument(help="Files of results, folders or zips of them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    agent: Annotated[str | None, typer.Option(help="Who answers or teaches, where the files do not say it.")] = None,
    team: Annotated[str | None, typer.Option(help="The agent's team.")] = None,
    session: Annotated[str | None, typer.Option(help="One conversation that all of it belongs to.")] = None,
    role: Annotated[str, typer.Option(help="Whose voice: agent, customer, mixed or unknown.")] = "unknown",
    scenario: Annotated[str | None, typer.Option(help="customer_service, teaching, business or general.")] = None,
    domain: Annotated[str | None, typer.Option(help="What it was recorded with: phone, headset or room.")] = None,
    language: Annotated[str | None, typer.Option(help="The language spoken, as zh or en-GB.")] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Of times without one; else they are read in the reporting time zone.")
    ] = None,
    hop: Annotated[float | None, typer.Option(help="Seconds between frames that do not say it themselves.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model gave the scores, where the files do not say it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import results of other tools. The exit code is 0 if nothing was refused."""
    try:
        store, config = opened()
        about = Description(
            agent=agent,
            team=team,
            session=session,
            roles=parse_roles(role),
            scenario=parse_scenario(scenario) if scenario else None,
            domain=parse_domain(domain) if domain else None,
            language=language,
        )
        about.check()
        options = Options(_zone(time_zone) or config.time_zone, time_zone is not None, about, model, hop)
        given = [Given(path.name or str(path.resolve()), path) for path in paths]
        plan = importing.plan(store, config, given, options)
        _tell(plan, as_json, preferences.uncertain_below(store))
        done = Imported()
        if not dry_run:
            done = importing.write(store, config, given, options, plan)
            _tell_refused(done.refused, done.refused_count)
            labels = f" Labels: {done.labels:,}." if done.labels else ""
            typer.echo(
                f"{done.new:,} new clips and new scores of {done.added:,} known clips were imported.{labels}",
                err=as_json,
            )
    except EmostoreError as error:
        fail(error)
    raise typer.Exit(1 if plan.refused_count + done.refused_count else 0)


def write_results(
    file: Annotated[Path, typer.Argument(help="The file to write: .csv, .parquet, .xlsx, .jsonl or .zip.")],
    what: Annotated[
        str, typer.Option(help="clips, windows, embeddings or labels; a .zip has result folders.")
    ] = "clips",
    days: Annotated[str, typer.Option(help="The last 7, 28, 90 or 365 days, or all.")] = "all",
    first: Annotated[str | None, typer.Option(help="The first day, as 2026-03-31.")] = None,
    last: Annotated[str | None, typer.Option(help="The last day.")] = None,
    agent: Annotated[str | None, typer.Option(help="Clips of this agent.")] = None,
    team: Annotated[str | None, typer.Option(help="Clips of this team.")] = None,
    session: Annotated[str | None, typer.Option(help="Clips of the session with this number.")] = None,
    emotion: Annotated[str | None, typer.Option(help="Clips in which this emotion is the strongest.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Clips whose strongest emotion is one of this label group's.")
    ] = None,
    sum_: Annotated[
        str | None, typer.Option("--sum", help="A range of a label group's sum, as negative:0.6-1.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="Whose voice: agent, customer, mixed or unknown.")] = None,
    alert: Annotated[str | None, typer.Option(help="Clips with an alert: any, or one in this state.")] = None,
    certainty: Annotated[str | None, typer.Option(help="Results that are certain, or uncertain.")] = None,
    model: Annotated[str | None, typer.Option(help="Scores of this model, as name@revision.")] = None,
    score: Annotated[list[str] | None, typer.Option(help="A range of a score, as angry=0.5-1.")] = None,
) -> None:
    """Export what fits the filters, which are those of the History page."""
    asked = {
        "days": None if first or last else days,
        "first": first,
        "last": last,
        "agent": agent,
        "team": team,
        "session": session,
        "emotion": emotion,
        "certainty": certainty,
        "group": group,
        "sum": sum_,
        "role": role,
        "alert": alert,
        "model": model,
        **{name: limits for name, _equals, limits in (each.partition("=") for each in score or ())},
    }
    try:
        store, config = opened()
        kind = _kind(file)
        chosen: What = "results" if kind == "zip" else _what(what)
        today = datetime.now(UTC).astimezone(ZoneInfo(config.time_zone)).date()
        address = {name: value for name, value in asked.items() if value is not None}
        found = history_address.read(address, today, config.time_zone, partial(groups.named, store))
        strangers = [(name, address[name]) for name in address if name not in history_address.NAMES]
        if found.left_out or strangers or found.inverted:
            parts = ", ".join(f"{name}={value}" for name, value in (*found.left_out, *strangers)) or "first > last"
            raise MetadataError("This filter stands for nothing: {parts}.", parts=parts)
        pieces = exporting.export(store, found.wanted, chosen, kind)
        typer.echo(f"{_write(file, pieces):,} bytes were written to {file}.")
    except EmostoreError as error:
        fail(error)


def _zone(name: str | None) -> str | None:
    try:
        return str(ZoneInfo(name)) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MetadataError(
            "{found} is not a time zone. Write one like UTC or Asia/Shanghai.", found=repr(name)
        ) from error


def _tell(plan: Plan, as_json: bool, uncertain_below: float) -> None:
    for clip in plan.clips:
        told = json.dumps(_object(clip), ensure_ascii=False) if as_json else _line(clip, uncertain_below)
        typer.echo(told)
    _tell_refused(plan.refused, plan.refused_count)
    for doubt, count in plan.doubts:
        typer.echo(f"Doubtful ({count:,}): {explain(doubt, 'en')}", err=True)
    for name in plan.passed:
        typer.echo(f"{name}: left aside", err=True)


def _tell_refused(refused: list[Refused], count: int) -> None:
    for each in refused:
        place = each.name if each.line is None else f"{each.name}, line {each.line}"
        typer.echo(f"{place}: refused: {explain(each.reason, 'en')}", err=True)
    if count > len(refused):
        typer.echo(f"… and {count - len(refused):,} more were refused.", err=True)


def _line(clip: Planned, uncertain_below: float) -> str:
    heard = output.strongest(clip.scores, uncertain_below) if clip.scores else "no speech"
    when = f"{clip.happened_at:%Y-%m-%d %H:%M %Z}" if clip.happened_at_source != "upload" else "time not known"
    labels = f", new labels: {clip.labels:,}" if clip.labels else ""
    return f"{clip.file_name}: {_STATES[clip.state]}: {heard}, {when}, {clip.agent or 'no agent'}{labels}"


def _object(clip: Planned) -> dict[str, Any]:
    return {
        "source": clip.source,
        "line": clip.line,
        "state": clip.state,
        "file": clip.file_name,
        "sha256": clip.key[0],
        "channel": clip.key[1],
        "model": clip.key[2],
        "revision": clip.key[3],
        "agent": clip.agent,
        "happened_at": clip.happened_at.isoformat(),
        "happened_at_source": clip.happened_at_source,
        "scores": dict(clip.scores) if clip.scores else None,
        "windows": clip.windows,
        "embedding": clip.has_embedding,
        "sound": clip.has_sound,
        "labels": clip.labels,
    }


def _kind(file: Path) -> Format:
    for kind in exporting.MIME_TYPES:
        if file.name.lower().endswith(f".{kind}"):
            return kind
    raise MetadataError(
        "{found} has no ending that says what to write; it is one of {allowed}.",
        found=file.name,
        allowed=", ".join(f".{kind}" for kind in exporting.MIME_TYPES),
    )


def _what(name: str) -> What:
    for what in exporting.WHATS:
        if what == name:
            return what
    raise MetadataError(
        "{found} is nothing that can be exported; it is one of {allowed}.",
        found=repr(name),
        allowed=", ".join(exporting.WHATS),
    )


def _write(file: Path, pieces: Any) -> int:
    """Write a file that is not there yet, whole or not at all; how many bytes."""
    count = 0
    aside = None
    try:
        if file.exists():
            raise MetadataError("{name} is there already. Choose another name.", name=str(file))
        # Made as any other file, so that the umask says who may read it: `tempfile` lets only its owner.
        with file.with_name(f".export-{uuid.uuid4().hex}").open("xb") as out:
            aside = Path(out.name)
            for piece in pieces:
                count += out.write(piece)
        aside.replace(file)
        aside = None
    except OSError as error:
        raise MetadataError(
            "{name} could not be written: {problem}.", name=str(file), problem=error.strerror or str(error)
        ) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
    return count
