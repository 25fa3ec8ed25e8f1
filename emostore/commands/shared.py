"""What every command of the command line begins and fails with."""

from __future__ import annotations

from typing import NoReturn

import typer

from emostore.config import Settings, settings
from emostore.errors import EmostoreError
from emostore.services import preferences
from emostore.store import migrate
from emostore.store.session import Store, create_store


def opened(model: str | None = None) -> tuple[Store, Settings]:
    """The migrated store, and the settings with what was chosen in the app; a `model` given here counts most."""
    given = settings() if model is None else settings().model_copy(update={"model": model})
    store = create_store(given.resolved_database_url)
    migrate.upgrade(store)
    return store, preferences.effective(store, given)


def fail(error: EmostoreError) -> NoReturn:
    """Say what went wrong and end with the exit code of a command that could not do its work."""
    typer.echo(f"Error: {error}", err=True)
    raise typer.Exit(2)
