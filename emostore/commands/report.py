"""`python -m emostore report`: reports to take away, as a schedule makes them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from emostore.commands.shared import fail, opened
from emostore.errors import EmostoreError, StoreError
from emostore.services.report import Format, Language, Maker

app = typer.Typer(no_args_is_help=True, help="Reports to take away: HTML that opens anywhere, JSON, CSV.")

LANGUAGE = typer.Option("--language", help="en or zh; by default that of the settings, else English.")
FORMAT = typer.Option("--format", help="html, json or csv.")
OUT = typer.Option("--out", help="The file to write, replaced if it is there; - is the standard output.")
DAYS = ["%Y-%m-%d"]


@app.command()
def clip(
    clip_id: Annotated[
        int, typer.Argument(min=1, max=2**63 - 1, help="The number that `list` prints and the page's address has.")
    ],
    out: Annotated[Path, OUT],
    language: Annotated[Language | None, LANGUAGE] = None,
    kind: Annotated[Format, FORMAT] = "html",
) -> None:
    """Report one voice of one recording."""
    _made(lambda maker: maker.clip(clip_id, kind), out, language)


@app.command()
def session(
    session_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The number that the page's address has.")],
    out: Annotated[Path, OUT],
    language: Annotated[Language | None, LANGUAGE] = None,
    kind: Annotated[Format, FORMAT] = "html",
) -> None:
    """Report a session: its recordings with their sides beside each other."""
    _made(lambda maker: maker.session(session_id, kind), out, language)


@app.command()
def agent(
    name: Annotated[str, typer.Argument(help="The agent's name.")],
    out: Annotated[Path, OUT],
    since: Annotated[datetime | None, typer.Option("--from", formats=DAYS, help="The first day.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=DAYS, help="The last day.")] = None,
    language: Annotated[Language | None, LANGUAGE] = None,
    kind: Annotated[Format, FORMAT] = "html",
) -> None:
    """Report an agent by week, beside the team: the voices of those the agent speaks with."""
    _made(lambda maker: maker.agent(name, kind, from_date=_day(since), to_date=_day(to)), out, language)


def _made(make: Callable[[Maker], bytes], out: Path, language: Language | None) -> None:
    try:
        store, config = opened()
        chosen = language or (config.language if config.language != "auto" else "en")
        _write(make(Maker(store, config, chosen)), out)
    except EmostoreError as error:
        fail(error)


def _write(content: bytes, out: Path) -> None:
    """All of it or nothing: who reads a report while a schedule makes the next one has the last one whole."""
    if str(out) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    new = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        new.write_bytes(content)
        new.replace(out)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise StoreError(
            "The report could not be written to {name}: {problem}. Choose another file.",
            name=str(out),
            problem=error.strerror or str(error),
        ) from error


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
