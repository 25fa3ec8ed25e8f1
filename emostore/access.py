"""Who is here, and what they may do: the one place that every page and service asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emostore.config import settings
from emostore.errors import AccessError

Action = Literal["read", "analyse", "edit", "delete", "administer", "rank_agents"]

# Inferring the emotions of employees at work is prohibited in the EU but for medical and safety reasons (AI Act,
# Article 5(1)(f)), so agents are ranked by their customers' voices, never by their own.
_NOBODY_MAY: frozenset[Action] = frozenset({"rank_agents"})


@dataclass(frozen=True, slots=True)
class User:
    """A person who uses the product; `name` is shown and written to records."""

    name: str


def current_user() -> User:
    """The one local user, until there is a login; `EMOSTORE_USER_NAME` says what they are called."""
    return User(settings().user_name)


def can(action: Action, subject: object = None) -> bool:
    """Whether the current user may do `action` to `subject` (a stored object; None is all of them)."""
    return action not in _NOBODY_MAY  # the one local user has every other right


def require(action: Action, subject: object = None) -> None:
    """Raise `AccessError` unless the current user may do `action` to `subject`."""
    if not can(action, subject):
        raise AccessError("You do not have the right to do this. Ask the person who runs this app.")
