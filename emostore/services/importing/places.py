"""Which recording, channel and session a clip belongs to, as rows and lines of our own name them."""

from __future__ import annotations

from typing import Any, cast

from emostore.errors import MetadataError
from emostore.services.exports.clip_line import MOST_CHANNELS
from emostore.services.importing.values import quoted
from emostore.store.tables.models import HAPPENED_AT_SOURCES
from emostore.store.writing.names import clean_name, session_key
from emostore.store.writing.records import HappenedAtSource, SessionOf

_HEX = frozenset("0123456789abcdef")
_UNNAMED = session_key(None, "")  # how the key of a session begins that stands for a recording


def sha256(value: str | None) -> str | None:
    """The SHA-256 of a recording, or None where there is none. Raises `MetadataError` for anything else."""
    if value is not None and not _is_hash(value):
        raise MetadataError("{what} is {found}, which is no SHA-256.", what="sha256", found=quoted(value))
    return value


def channel(value: Any, what: str = "channel", least: int = 0) -> int:
    """The number of a channel, from 0 on, or with `least` 1 how many there are. Raises `MetadataError`."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 4:
        value = int(value)
    if type(value) is not int or not least <= value < MOST_CHANNELS + least:
        raise MetadataError("{what} is {found}, which is not a number.", what=what, found=quoted(value))
    return value


def time_source(said: str | None) -> HappenedAtSource:
    """Where a time comes from: a guess stays one. What does not say it was told by whoever wrote it."""
    return cast(HappenedAtSource, said) if said in HAPPENED_AT_SOURCES else "metadata"


def session(key: str | None, shown: str | None, *own: str | None) -> tuple[str | None, SessionOf | None]:
    """The name of a clip's session, if somebody named it, or else whose session it is, if of another recording.

    `key` is the stored one and `shown` what people see. `own` are the recordings whose session a clip has by itself:
    its own, and the other side's, which pairing brings along. Raises `MetadataError` for a name that is too long.
    """
    name = clean_name(shown, "session")
    if key is None or name is None:
        return None, None
    if not key.startswith(_UNNAMED):
        return name, None
    of = key.removeprefix(_UNNAMED)
    if of in own or not _is_hash(of):
        return None, None
    return None, SessionOf(of, name)


def _is_hash(value: str) -> bool:
    return len(value) == 64 and _HEX.issuperset(value)
