"""How much room the database takes."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from emostore.store.session import Store


def database_bytes(store: Store) -> int:
    """Bytes of the database, on SQLite with what waits in its log."""
    if store.engine.name == "postgresql":
        with store.reading() as session:
            return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    name = str(store.engine.url.database)
    return sum(path.stat().st_size for path in (Path(name + end) for end in ("", "-wal", "-shm")) if path.exists())
