"""Names that people and files give: untrusted text, made fit to be stored, compared and shown."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from emostore.errors import MetadataError
from emostore.i18n import N_, Sentence
from emostore.store.tables.models import LANGUAGE_LENGTH, NAME_LENGTH

FILE_NAME_LENGTH = 1000  # characters; file systems allow 255 for each folder and the file
# Embeddings, overrides and isolates reverse the text around them, so that a name can pass for another.
# Marks and joiners stay: right-to-left names and emoji need them.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


_WHOSE = {
    "agent": Sentence(N_("the agent")),
    "team": Sentence(N_("the team")),
    "session": Sentence(N_("the session")),
    "profile": Sentence(N_("the profile")),
    "rule": Sentence(N_("the rule")),
    "calibration": Sentence(N_("the calibration")),
    "group": Sentence(N_("the label group")),
    "model": Sentence(N_("the model")),
    "rater": Sentence(N_("the rater")),
    "assignee": Sentence(N_("the person in charge")),
}


def clean(text: str) -> str:
    """`text` in NFC, on one line, with single spaces and without control characters (also idempotent).

    Among these is NUL, which PostgreSQL refuses, and half of a surrogate pair, which no database takes.
    """
    if not text.isprintable():  # most names are, and then there is nothing to remove
        text = "".join(char for char in text if char.isspace() or not _is_control(char))
    return unicodedata.normalize("NFC", " ".join(text.split()))


def clean_name(text: str | None, what: str) -> str | None:
    """The name of an agent, a team, a session or the like, or None if nothing is left of it.

    `what`, a key of `_WHOSE`, says in the error whose name it is. Raises `MetadataError` if it
    is longer than `NAME_LENGTH`.
    """
    name = clean(text or "")
    if len(name) > NAME_LENGTH:
        raise MetadataError(
            "The name of {what} has {found} characters; {allowed} are allowed. Shorten it.",
            what=_WHOSE[what],
            found=len(name),
            allowed=NAME_LENGTH,
        )
    return name or None


def clean_file_name(text: str) -> str:
    """A file's name as it is shown. Raises `MetadataError` if nothing is left of it or it is too long."""
    name = clean(text)
    if not 0 < len(name) <= FILE_NAME_LENGTH:
        raise MetadataError(
            "A file name needs 1 to {allowed} characters; this one has {found}. Rename the file.",
            found=len(name),
            allowed=FILE_NAME_LENGTH,
        )
    return name


def clean_language(text: str | None) -> str | None:
    """A language tag such as `zh`, `en-GB` or `zh-Hans-CN` in its usual case; None if nothing is left of it.

    Only the shape is looked at (RFC 5646, without its registry). Raises `MetadataError` for another shape.
    """
    parts = clean(text or "").replace("_", "-").split("-")
    if parts == [""]:
        return None
    tag = "-".join([parts[0].lower(), *map(_usual_case, parts[1:])])
    whole = all(part.isascii() and part.isalnum() and len(part) <= 8 for part in parts)
    if not whole or not 2 <= len(parts[0]) <= 3 or not parts[0].isalpha() or len(tag) > LANGUAGE_LENGTH:
        raise MetadataError(
            "{found} is not a language tag. Write one like zh, en or en-GB.", found=repr(clean(text or "")[:50])
        )
    return tag


def session_key(name: str | None, sha256: str) -> str:
    """What makes two sessions one: the same name but for case, or the same single recording."""
    if name is None:
        return f"recording:{sha256}"
    return f"name:{unicodedata.normalize('NFC', name.casefold())}"


def stem(file_name: str) -> str:
    """The name of a session that stands for one file: the file's, without folder and ending."""
    last = PurePosixPath(file_name.replace("\\", "/"))
    return clean(last.stem)[:NAME_LENGTH].strip() or file_name[:NAME_LENGTH].strip()


def _usual_case(part: str) -> str:
    """A region in capitals, a script with one, everything else without."""
    if part.isalpha() and len(part) in (2, 4):
        return part.upper() if len(part) == 2 else part.capitalize()
    return part.lower()


def _is_control(char: str) -> bool:
    return char in _BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs")
