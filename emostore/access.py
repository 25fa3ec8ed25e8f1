"""Who is here, and what they may do: the one place that every page and service asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emostore.errors import AccessError

Action = Literal["read", "analyse", "edit", "delete", "administer"]


@dataclass(frozen=True, slots=True)
class User:
    """A person who uses the product; `name` is shown and written to records."""

    name: str


LOCAL_USER = User("local")


def current_user() -> User:
    """The one local user, until there is a login."""
    return LOCAL_USER


def can(action: Action, subject: object = None) -> bool:
    """Whether the current user may do `action` to `subject` (a stored object; None is all of them)."""
    return current_user() == LOCAL_USER


def require(action: Action, subject: object = None) -> None:
    """Raise `AccessError` unless the current user may do `action` to `subject`."""
    if not can(action, subject):
        raise AccessError("You do not have the right to do this. Ask the person who runs this app.")
