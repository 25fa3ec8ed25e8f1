"""What is known of a recording before it is analysed: said by a person, a list beside it, or its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Literal, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

from emostore.errors import MetadataError
from emostore.store.writing.names import clean, clean_language
from emostore.store.writing.records import Domain, Role, Scenario

T = TypeVar("T")

__all__ = [
    "DEFAULT_SIDES",
    "DOMAINS",
    "NO_ROLES",
    "ROLES",
    "SCENARIOS",
    "Description",
    "Domain",
    "Role",
    "Scenario",
    "Sides",
    "merge",
    "parse_domain",
    "parse_roles",
    "parse_scenario",
    "parse_sides",
    "parse_time",
]

ROLES: tuple[Role, ...] = get_args(Role)
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
DOMAINS: tuple[Domain, ...] = get_args(Domain)
NO_ROLES: tuple[Role, ...] = ("unknown",)
Sides = tuple[Role, Role]
DEFAULT_SIDES: Sides = ("agent", "customer")  # of a two-channel call: left, right

# The words that lists and names may use for ours, in lower case.
_ROLE_WORDS: dict[Role, str] = {
    "agent": "agent, 坐席, 客服, 教师, 老师",
    "customer": "customer, 客户, 顾客, 学生",
    "mixed": "mixed, 混合",
    "unknown": "unknown, 未知",
}
_SCENARIO_WORDS: dict[Scenario, str] = {
    "customer_service": "customer_service, customer service, customer-service, 客服, 客户服务",
    "teaching": "teaching, 教学",
    "business": "business, 商务",
    "general": "general, 通用, 一般",
}
_DOMAIN_WORDS: dict[Domain, str] = {
    "phone": "phone, 电话",
    "headset": "headset, 耳机, 耳麦",
    "room": "room, 房间, 会议室",
}


@dataclass(frozen=True, slots=True)
class Description:
    """Who speaks in a recording, when it happened and what it was; what is not known stays None.

    `roles` names the voice of each channel in order; a single one holds for every channel, except for two where
    `sides` says whose voice is left and whose right. `happened_at_source` tells whether a person (or a list) said
    when, or the file's name. `other_side` is the SHA-256 of the file that holds the other side of the call.
    """

    agent: str | None = None
    team: str | None = None
    session: str | None = None
    happened_at: datetime | None = None
    roles: tuple[Role, ...] = NO_ROLES
    scenario: Scenario | None = None
    domain: Domain | None = None
    language: str | None = None
    happened_at_source: Literal["given", "name"] = "given"
    sides: Sides | None = None
    other_side: str | None = None

    def __post_init__(self) -> None:
        if self.happened_at is not None and self.happened_at.tzinfo is None:
            raise ValueError("happened_at must carry a time zone")
        object.__setattr__(self, "language", clean_language(self.language))

    def check(self) -> None:
        """Raise `MetadataError` for a team without an agent, which is a question only when all sources are merged."""
        if self.team and not self.agent:
            raise MetadataError("The team {team} was given without an agent. Name the agent, too.", team=self.team)

    def role(self, channel: int, channels: int | None = None) -> Role:
        """The role of one of the channels that a recording has; None where it is not known how many.

        Of two, left and right are `sides`, or, where nothing was said, agent and customer. One that was not named
        is unknown, and so is a single voice of which several roles were named.
        """
        if len(self.roles) > 1:
            return self.roles[channel] if channels != 1 and channel < len(self.roles) else "unknown"
        if channels == 2 and (self.sides or self.roles == NO_ROLES):
            return (self.sides or DEFAULT_SIDES)[channel]
        return self.roles[0]


def merge(*descriptions: Description | None) -> Description:
    """One description from several, the first counting most: each fills only what those before left empty.

    A team is taken only together with its agent, or from a source that names no other agent.
    """
    merged = Description()
    for each in descriptions:
        if each is None:
            continue
        empty = [f.name for f in fields(merged) if f.name != "happened_at_source" and not getattr(merged, f.name)]
        if merged.agent and each.agent and each.agent != merged.agent:
            empty = [name for name in empty if name != "team"]
        found = {name: getattr(each, name) for name in empty}
        if set(merged.roles) != {"unknown"}:
            found.pop("sides", None)  # roles that count more were said of all channels
        if merged.happened_at is None:
            found["happened_at_source"] = each.happened_at_source
        if set(merged.roles) == {"unknown"}:
            found["roles"] = each.roles
        merged = replace(merged, **found)
    return merged


def parse_roles(text: str) -> tuple[Role, ...]:
    """Roles of the channels in order, as in "agent,customer". Raises `MetadataError`."""
    found = [(part, _meant(part, _ROLE_WORDS)) for part in map(clean, text.replace("，", ",").split(","))]
    for part, role in found:
        if role is None:
            raise MetadataError(
                "{found} is not a role; a channel is one of {allowed}.",
                found=repr(part[:50]),
                allowed=", ".join(ROLES),
            )
    return cast("tuple[Role, ...]", tuple(role for _, role in found))


def parse_sides(text: str) -> Sides:
    """Whose voice is left and whose right of two channels, as in "agent,customer". Raises `MetadataError`."""
    found = parse_roles(text)
    if len(found) != 2:
        raise MetadataError(
            "{found} names {count} roles; name those of the left and the right channel, as in {example}.",
            found=repr(text[:50]),
            count=len(found),
            example="agent,customer",
        )
    return found[0], found[1]


def parse_scenario(text: str) -> Scenario:
    """A scenario by its word, English or Chinese. Raises `MetadataError`."""
    found = _meant(clean(text), _SCENARIO_WORDS)
    if found is None:
        raise MetadataError(
            "{found} is not a scenario; it is one of {allowed}.",
            found=repr(clean(text)[:50]),
            allowed=", ".join(SCENARIOS),
        )
    return found


def parse_domain(text: str) -> Domain:
    """What a recording was made with, by its word, English or Chinese. Raises `MetadataError`."""
    found = _meant(clean(text), _DOMAIN_WORDS)
    if found is None:
        raise MetadataError(
            "{found} is not a domain; it is one of {allowed}.", found=repr(clean(text)[:50]), allowed=", ".join(DOMAINS)
        )
    return found


def parse_time(text: str, time_zone: str) -> datetime:
    """An ISO 8601 time; without an offset it is read in `time_zone`. Raises `MetadataError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MetadataError(
            "{found} is not a time. Write it like 2026-03-31 14:05 or 2026-03-31T14:05+08:00.", found=repr(text)
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))


def _meant(word: str, words: Mapping[T, str]) -> T | None:
    return next((meaning for meaning, known in words.items() if word.lower() in known.split(", ")), None)
