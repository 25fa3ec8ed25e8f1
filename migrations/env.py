"""Alembic's entry: called by `emostore.store.migrate`, and by the `alembic` command line.

On the command line the database is `-x url=…`, else `EMOSTORE_DATABASE_URL`, else the SQLite file in
`EMOSTORE_DATA_DIR`. Logging is left as the caller has it.
"""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator

from emostore.errors import StoreError
from emostore.store.migrate import migrating
from emostore.store.session import create_store
from emostore.store.tables.models import Base


def render_item(kind: str, item: Any, _: object) -> str | bool:
    # A migration is a snapshot: it names the database's types, never the program's, which go on changing.
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


def database_url() -> str:
    given = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("EMOSTORE_DATABASE_URL")
    folder = os.environ.get("EMOSTORE_DATA_DIR", "data")
    return given or f"sqlite:///{os.path.abspath(folder)}/emostore.db"


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
        compare_type=True,
    )
    context.run_migrations()


if context.is_offline_mode():
    raise StoreError(
        "Migrations ask the database what it holds, so they cannot be printed with {option}.", option="--sql"
    )
if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    with migrating(create_store(database_url())) as own:
        run(own)
