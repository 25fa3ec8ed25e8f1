"""What a person says of a recording before it is analysed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast, get_args
from zoneinfo import ZoneInfo

from emostore.errors import MetadataError
from emostore.store.records import Role

__all__ = ["ROLES", "Description", "Role", "parse_roles", "parse_time"]

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Description:
    """Who speaks in a recording and when it happened; what is not known stays None.

    `roles` names the voice of each channel in order; a single one holds for every channel.
    """

    agent: str | None = None
    team: str | None = None
    session: str | None = None
    happened_at: datetime | None = None
    roles: tuple[Role, ...] = ("unknown",)

    def __post_init__(self) -> None:
        if self.happened_at is not None and self.happened_at.tzinfo is None:
            raise ValueError("happened_at must carry a time zone")
        if self.team and not self.agent:
            raise MetadataError("The team {team} was given without an agent. Name the agent, too.", team=self.team)

    def role(self, channel: int) -> Role:
        """The role of a channel; one that was not named is unknown."""
        if len(self.roles) == 1:
            return self.roles[0]
        return self.roles[channel] if channel < len(self.roles) else "unknown"


def parse_roles(text: str) -> tuple[Role, ...]:
    """Roles of the channels in order, as in "agent,customer". Raises `MetadataError`."""
    roles = tuple(part.strip() for part in text.split(","))
    for role in roles:
        if role not in ROLES:
            raise MetadataError(
                "{found} is not a role; a channel is one of {allowed}.", found=repr(role), allowed=", ".join(ROLES)
            )
    return cast("tuple[Role, ...]", roles)


def parse_time(text: str, time_zone: str) -> datetime:
    """An ISO 8601 time; without an offset it is read in `time_zone`. Raises `MetadataError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MetadataError(
            "{found} is not a time. Write it like 2026-03-31 14:05 or 2026-03-31T14:05+08:00.", found=repr(text)
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))
