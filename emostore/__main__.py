"""The command line: `python -m emostore --help`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from emostore.commands import data, report
from emostore.commands.shared import fail, opened
from emostore.config import Settings, settings
from emostore.engine import registry
from emostore.errors import EmostoreError, MetadataError
from emostore.i18n import explain
from emostore.services import downloads, output, preferences, verify
from emostore.services.analysis import Analyser, Source, Status
from emostore.services.backups import backup
from emostore.services.downloads import text
from emostore.services.invented import demo
from emostore.services.metadata import pairing, sidecar
from emostore.services.metadata.describing import describe
from emostore.services.metadata.descriptions import (
    Description,
    parse_domain,
    parse_roles,
    parse_scenario,
    parse_sides,
    parse_time,
)
from emostore.services.metadata.filenames import NoMatch, parse_pattern
from emostore.store import migrate
from emostore.store.reports import reports
from emostore.store.rollups import rollup_build
from emostore.store.session import create_store

app = typer.Typer(no_args_is_help=True, help="Voice emotion: recorded speech in, nine scores out.")
models = typer.Typer(no_args_is_help=True, help="Which models there are.")
database = typer.Typer(no_args_is_help=True, help="The database and its tables.")
app.add_typer(models, name="models")
app.add_typer(database, name="db")
data.register(app)
app.add_typer(report.app, name="report")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.callback()
def _configure() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


@app.command()
def analyze(
    paths: Annotated[list[Path], typer.Argument(help="Files; of a folder, every file in it.")],
    agent: Annotated[str | None, typer.Option(help="Who answers or teaches.")] = None,
    team: Annotated[str | None, typer.Option(help="The agent's team.")] = None,
    session: Annotated[str | None, typer.Option(help="Recordings of one conversation share its name.")] = None,
    happened_at: Annotated[
        str | None, typer.Option(help="When, as 2026-03-31T14:05; without an offset, in the reporting time zone.")
    ] = None,
    role: Annotated[
        str, typer.Option(help="Whose voice: agent, customer, mixed or unknown; for several channels a,b.")
    ] = "unknown",
    roles: Annotated[
        str | None,
        typer.Option(help="Of two channels, whose voice is left and whose right: agent,customer unless said."),
    ] = None,
    pair: Annotated[
        bool, typer.Option("--pair", help="Files such as x_agent.wav and x_caller.wav are two sides of one call.")
    ] = False,
    scenario: Annotated[str | None, typer.Option(help="customer_service, teaching, business or general.")] = None,
    domain: Annotated[str | None, typer.Option(help="What it was recorded with: phone, headset or room.")] = None,
    language: Annotated[str | None, typer.Option(help="The language spoken, as zh or en-GB.")] = None,
    pattern: Annotated[str | None, typer.Option(help="What file names tell, as {agent}_{date}_{session}.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A list that describes the files, with a column `file`.")] = None,
    model: Annotated[str | None, typer.Option(help="Use this model instead of EMOSTORE_MODEL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Analyse recordings and store their scores. The exit code is 0 if no file failed."""
    try:
        store, config = opened(model)
        said = Description(
            agent=agent,
            team=team,
            session=session,
            happened_at=parse_time(happened_at, config.time_zone) if happened_at else None,
            roles=parse_roles(role),
            sides=parse_sides(roles) if roles else None,
            scenario=parse_scenario(scenario) if scenario else None,
            domain=parse_domain(domain) if domain else None,
            language=language,
        )
        sources = _described(_sources(paths), said, pattern, csv, config, pair=pair)
        analyser = Analyser(store, config, registry.load_recognizer(config))
        failed, below = False, preferences.uncertain_below(store)
        for result in analyser.analyse(sources, said):
            failed |= result.status is Status.FAILED
            typer.echo(output.as_json(result, below) if as_json else output.as_text(result, below))
    except EmostoreError as error:
        fail(error)
    raise typer.Exit(1 if failed else 0)


@app.command("list")
def list_clips(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest clips and what they sound like."""
    try:
        store, config = opened()
        below = preferences.uncertain_below(store)
        for row in reports.latest_clips(store, limit).rows:
            line = output.row_as_json(row, below) if as_json else output.row_as_text(row, config.time_zone, below)
            typer.echo(line)
    except EmostoreError as error:
        fail(error)


@app.command("backup")
def write_backup(file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")]) -> None:
    """Write everything that is stored to one file. The app may go on working meanwhile."""
    try:
        store, config = opened()
        typer.echo(output.contents_as_text(backup.backup(store, config, file)))
    except EmostoreError as error:
        fail(error)


@app.command("restore")
def read_backup(file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")]) -> None:
    """Read a backup into an empty database, all of it or nothing."""
    try:
        store, config = opened()
        typer.echo(output.contents_as_text(backup.restore(store, config, file)))
    except EmostoreError as error:
        fail(error)


@app.command("demo")
def invent(
    clips: Annotated[int, typer.Option(min=1, help="How many clips.")] = 10_000,
    agents: Annotated[int, typer.Option(min=1, help="Of how many agents.")] = 40,
    days: Annotated[int, typer.Option(min=1, help="Over how many days up to today.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="The same seed invents the same calls.")] = 0,
    remove: Annotated[bool, typer.Option("--remove", help="Delete everything that was invented.")] = False,
) -> None:
    """Invent a call centre to try the reports on, marked as such, or remove it again."""
    try:
        store, config = opened()
        if remove:
            count = demo.remove(store, progress=lambda done: typer.echo(f"{done:,} clips", err=True))
            typer.echo(f"Removed {count:,} invented clips.")
            return
        today = datetime.now(ZoneInfo(config.time_zone)).date()
        size = demo.DemoSize(clips, agents, days, seed)
        rollup_build.ensure(store, config.time_zone)
        count = demo.create(
            store, size, today, config.time_zone, lambda done, total: typer.echo(f"{done:,} of {total:,}", err=True)
        )
        typer.echo(f"Invented {count:,} clips, marked (demo). `python -m emostore demo --remove` takes them away.")
    except EmostoreError as error:
        fail(error)


@models.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models, where they lie and what they can produce."""
    try:
        for listing in registry.available_models(settings()):
            typer.echo(output.model_as_json(listing) if as_json else output.model_as_text(listing))
    except EmostoreError as error:
        fail(error)


@models.command("pull")
def pull_model(
    source: Annotated[
        downloads.Source, typer.Option("--from", help="Where from; auto takes the first that answers.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Download Emotion2Vec+ Large, or continue doing so. Ctrl-C stops; what has arrived is kept."""
    try:
        planned = downloads.plan(settings(), source)
        typer.echo(text.plan_as_text(planned), err=True)
        folder = downloads.download(planned, progress=text.progress_line(sys.stderr))
    except EmostoreError as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("\nStopped. What has arrived is kept; run the command again to continue.", err=True)
        raise typer.Exit(130) from None
    typer.echo(text.installed_as_json(folder) if as_json else text.installed_as_text(folder))


@models.command("verify")
def verify_model(
    model: Annotated[str | None, typer.Option(help="Verify this checkpoint instead of EMOSTORE_MODEL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the installed checkpoint with FunASR, and with published figures. The exit code is 0 if it agrees."""
    try:
        config = settings() if model is None else settings().model_copy(update={"model": model})
        report = verify.verify(config)
    except EmostoreError as error:
        fail(error)
    typer.echo(verify.as_json(report) if as_json else verify.as_text(report))
    raise typer.Exit(0 if report.agrees else 1)


@database.command()
def upgrade() -> None:
    """Create the database, or bring it to this version."""
    try:
        config = settings()
        state = migrate.upgrade(create_store(config.resolved_database_url))
    except EmostoreError as error:
        fail(error)
    typer.echo(f"The database is at revision {state.current}.")


@database.command()
def check() -> None:
    """Say whether the database is at this version; the exit code is 0 if it is."""
    try:
        state = migrate.check(create_store(settings().resolved_database_url))
    except EmostoreError as error:
        fail(error)
    if not state.up_to_date:
        typer.echo(f"The database is at revision {state.current or 'none'}, this version needs {state.head}.")
        raise typer.Exit(1)
    typer.echo(f"The database is at revision {state.current}.")


def _described(
    sources: list[Source],
    said: Description,
    pattern: str | None,
    csv: Path | None,
    config: Settings,
    *,
    pair: bool = False,
) -> list[Source]:
    """The files, each with what the list, the options and its name tell of it; what is odd goes to stderr."""
    if pattern is None and csv is None and not pair:
        said.check()
        return sources
    names = [source.name for source in sources]
    known = parse_pattern(pattern, config.time_zone) if pattern else None
    listed = sidecar.read_file(csv, config.time_zone) if csv else None
    for problem in listed.problems if listed else ():
        typer.echo(f"{csv}: {explain(problem, 'en')}", err=True)
    if listed and listed.unknown_columns:
        typer.echo(f"{csv}: these columns were left out: {', '.join(listed.unknown_columns)}", err=True)
    for name in names if known else ():
        if known and isinstance(found := known.match(name), NoMatch):
            typer.echo(explain(found.reason, "en"), err=True)
    descriptions: Sequence[Description] = describe(names, said, pattern=known, sidecar=listed)
    if pair:
        pairs = pairing.pairs(names, descriptions)
        descriptions = pairing.linked([source.path for source in sources], descriptions, pairs)
    return [replace(source, description=each) for source, each in zip(sources, descriptions, strict=True)]


def _sources(paths: list[Path]) -> list[Source]:
    """The files to analyse; folders are walked in a stable order, hidden files left out."""
    sources = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file())
            shown = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
            if not shown:
                raise MetadataError("The folder {name} holds no files.", name=str(path))
            sources += [Source(p, str(p.relative_to(path.parent))) for p in shown]
        else:
            sources.append(Source(path, path.name))  # one that does not exist fails by itself, beside the others
    return sources


if __name__ == "__main__":
    app()
