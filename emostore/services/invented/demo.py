"""An invented call centre, to try the reports on: stored by the same code as real calls, marked, removable.

Agents differ in truth, teams a little, some get better or worse; weeks have their rhythm; a call has two
voices, and a few are complaints. All scores are drawn, none comes from sound, and the model is called `demo`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import get_args
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from emostore import access
from emostore.analytics.reference import CASES
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import SettingsError
from emostore.services import alerting
from emostore.services.calibration import calibrating
from emostore.services.invented.demo_names import MARK, agent_name, team_name
from emostore.store import audit, demo_rows
from emostore.store.session import Store
from emostore.store.writing import records
from emostore.store.writing.records import Role

MODEL = records.ModelRevisionKey("demo", "1", 1, EMOTIONS, "invented")
MOST_CLIPS, MOST_AGENTS, MOST_DAYS = 10_000_000, 10_000, 3_660

_AT_ONCE = 5_000  # clips saved in one transaction
_TEAM_SIZE = 20
_TWO_VOICES, _MIXED = 0.85, 0.10  # of calls: two channels, both voices in one; the rest is of an unknown role
_FOLLOW_UP = 0.03  # of calls: another one of the same case
_OPENING_H, _CLOSING_H = 8, 19
_WEEKDAYS = np.array([1.3, 1.1, 1.0, 1.0, 0.9, 0.35, 0.15])  # calls, Monday first
_ROLES: tuple[Role, ...] = get_args(Role)

# What a voice usually sounds like. A complaint and a calm talk are the published cases.
_CUSTOMER = dict(zip(EMOTIONS, (0.07, 0.03, 0.03, 0.17, 0.5, 0.03, 0.06, 0.05, 0.06), strict=True))
_BASES = np.log(
    np.array(
        [
            [CASES["Business talk"][name] for name in EMOTIONS],
            [_CUSTOMER[name] for name in EMOTIONS],
            [CASES["Customer complaint"][name] for name in EMOTIONS],
        ]
    )
)
_AGENT, _CALM, _COMPLAINT = 0, 1, 2
_GOOD = np.array([-1.0, -1.0, -0.5, 1.0, 0.1, 0.0, -0.7, 0.6, 0.0])  # where a better call moves logits
_ROOTS = np.sqrt(np.array([0.35, 0.35, 0.4, 0.4, 0.2, 0.3, 0.4, 0.4, 0.3]))  # noise of single clips


@dataclass(frozen=True, slots=True)
class DemoSize:
    """How much to invent. Raises `SettingsError` for what cannot be."""

    clips: int
    agents: int
    days: int
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("clips", MOST_CLIPS), ("agents", MOST_AGENTS), ("days", MOST_DAYS)):
            if not 1 <= getattr(self, name) <= most:
                raise SettingsError(
                    "{found} {name} cannot be invented; choose 1 to {allowed}.",
                    found=getattr(self, name),
                    name=name,
                    allowed=most,
                )
        if self.seed < 0:
            raise SettingsError("The seed is {found}; it must be 0 or more.", found=self.seed)


@dataclass(frozen=True, slots=True)
class _World:
    """What is true of the agents: their effect on a call, its drift over the time, and how often they are called."""

    names: Sequence[str]
    teams: Sequence[str]
    effect: NDArray[np.float64]
    drift: NDArray[np.float64]
    calls: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Call:
    number: int
    agent: int
    happened_at: datetime
    duration_s: float
    case: str | None


def create(
    store: Store,
    size: DemoSize,
    today: date,
    time_zone: str = "UTC",
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Invent calls of the days up to `today` and save them; how many clips are new. The same seed gives the same."""
    access.require("analyse")
    user = access.current_user().name
    rules = alerting.active_rules(store)
    made, done = invent(size, today, time_zone, rules), 0
    new = 0
    while not cancelled() and (batch := list(islice(made, _AT_ONCE))):
        new += sum(each.created for each in calibrating.save_many(store, batch))
        done += len(batch)
        progress(done, size.clips)
    with store.transaction() as session:
        demo_rows.judge_alerts(session, size.seed, user)
        audit.record(session, user, "analysed", "database", None, {"demo": True, "clips": new})
    return new


def remove(
    store: Store,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Delete everything that was invented, and nothing else; how many clips."""
    access.require("delete")
    done = 0
    while count := demo_rows.remove_some(store):
        done += count
        progress(done)
    with store.transaction() as session:
        demo_rows.forget_people(session, MARK, (MODEL.name, MODEL.revision))
        audit.record(session, access.current_user().name, "deleted", "database", None, {"demo": True, "clips": done})
    return done


def invent(
    size: DemoSize, today: date, time_zone: str = "UTC", rules: Sequence[alerting.ActiveRule] = ()
) -> Iterator[records.NewAnalysis]:
    """The analyses in the order of time, with what the rules find in them."""
    random = np.random.default_rng(size.seed)
    world = _world(size, random)
    left = size.clips
    first = today - timedelta(days=size.days - 1)
    for calls, weekday in _days(size, first, time_zone, world, random):
        for analysis in _analyses(calls, weekday, size, first, world, rules, random):
            if not left:
                return
            left -= 1
            yield analysis


def _world(size: DemoSize, random: np.random.Generator) -> _World:
    teams = max(1, round(size.agents / _TEAM_SIZE))
    team_of = np.arange(size.agents) % teams
    effect = random.normal(0, 0.35, size.agents) + random.normal(0, 0.15, teams)[team_of]
    drift = np.where(random.random(size.agents) < 0.3, random.normal(0, 0.5, size.agents), 0.0)
    return _World(
        names=[agent_name(number) for number in range(size.agents)],
        teams=[team_name(number) for number in team_of.tolist()],
        effect=effect,
        drift=drift,
        calls=random.gamma(4.0, 1.0, size.agents),
    )


def _days(
    size: DemoSize, first: date, time_zone: str, world: _World, random: np.random.Generator
) -> Iterator[tuple[list[_Call], int]]:
    """The calls of each day with its weekday: enough for the clips that are wanted, and a few more on the last day."""
    days = [first + timedelta(days=number) for number in range(size.days)]
    weights = np.array([_WEEKDAYS[day.weekday()] for day in days])
    per_call = 1 + _TWO_VOICES
    planned = np.floor(np.cumsum(weights) / weights.sum() * size.clips / per_call).astype(int)
    counts = np.diff(planned, prepend=0)
    counts[-1] += size.clips // 50 + 20  # the share of calls with two voices varies; who asks stops in time
    number, zone, share = 0, ZoneInfo(time_zone), world.calls / world.calls.sum()
    for day, count in zip(days, counts.tolist(), strict=True):
        midnight = datetime.combine(day, time(), zone).astimezone(UTC)
        hours = np.sort(random.triangular(_OPENING_H, 11, _CLOSING_H, count))
        agents = random.choice(size.agents, count, p=share).tolist()
        lengths = np.round(np.clip(random.lognormal(5.0, 0.6, count), 15, 3600), 2).tolist()
        follows = random.random(count) < _FOLLOW_UP
        calls = []
        for hour, agent, length, follow in zip(hours.tolist(), agents, lengths, follows.tolist(), strict=True):
            case = f"Case {1000 + number // 60} {MARK}" if follow else None
            calls.append(_Call(number, agent, midnight + timedelta(seconds=round(hour * 3600)), length, case))
            number += 1
        yield calls, day.weekday()


def _analyses(
    calls: Sequence[_Call],
    weekday: int,
    size: DemoSize,
    first: date,
    world: _World,
    rules: Sequence[alerting.ActiveRule],
    random: np.random.Generator,
) -> Iterator[records.NewAnalysis]:
    """Both voices of each call, or the one that holds both."""
    n = len(calls)
    agents = np.array([call.agent for call in calls], int)
    age = np.array([(call.happened_at.date() - first).days / size.days for call in calls])
    luck = random.normal(0, 0.45, n) - random.exponential(0.25, n) + 0.25  # a bad call is worse than a good one is good
    mood = world.effect[agents] + world.drift[agents] * (age - 0.5) + luck - 0.08 * (weekday == 0)
    complaint = random.random(n) < 0.03 * np.exp(-1.2 * (world.effect[agents] + world.drift[agents] * (age - 0.5)))
    kind = random.random(n)
    # Rows of two voices: the agent's, then the customer's, who is the one that complains.
    of_agent = _BASES[_AGENT] + 0.4 * mood[:, None] * _GOOD
    of_customer = (
        _BASES[np.where(complaint, _COMPLAINT, _CALM)] + mood[:, None] * _GOOD * np.where(complaint, 0.3, 1)[:, None]
    )
    logits = (np.stack([of_agent, of_customer], 1) + random.normal(0, 1, (n, 2, 9)) * _ROOTS).astype(np.float32)
    exact = np.exp(logits.astype(np.float64) - logits.max(axis=2, keepdims=True))
    scores = exact / exact.sum(axis=2, keepdims=True)
    spoken = np.round(random.uniform(0.25, 0.5, (n, 2)) * np.array([call.duration_s for call in calls])[:, None], 2)
    for i, call in enumerate(calls):
        two = kind[i] < _TWO_VOICES
        recording = _recording(call, size, 2 if two else 1)
        alone: Role = "mixed" if kind[i] < _TWO_VOICES + _MIXED else "unknown"
        voices: list[tuple[int, Role]] = [(0, "agent"), (1, "customer")] if two else [(1, alone)]
        for channel, (voice, role) in enumerate(voices):
            found = EmotionScores(tuple(scores[i, voice].tolist()))
            clip = records.NewClip(
                recording,
                channel,
                call.duration_s,
                float(spoken[i, voice]),
                role,
                world.names[call.agent],
                world.teams[call.agent],
                call.case,
            )
            yield records.NewAnalysis(
                clip,
                MODEL,
                records.Analysed(logits[i, voice], found),
                call.happened_at,
                alerts=_alerts(rules, found, clip),
            )


def _alerts(
    rules: Sequence[alerting.ActiveRule], scores: EmotionScores, clip: records.NewClip
) -> tuple[records.NewAlert, ...]:
    return alerting.raised(rules, scores, role=clip.role, speech_s=clip.speech_s, windows=None)


def _recording(call: _Call, size: DemoSize, channels: int) -> records.NewRecording:
    return records.NewRecording(
        sha256=hashlib.sha256(f"{size} {call.number} {call.happened_at}".encode()).hexdigest(),
        file_name=f"demo-{size.seed}-{call.number:07}.wav",
        byte_count=round(call.duration_s * 16_000 * channels),
        duration_s=call.duration_s,
        sample_rate=8_000,
        channel_count=channels,
        container="wav",
        codec="pcm_s16le",
        uploaded_at=call.happened_at,
        happened_at=call.happened_at,
        happened_at_source="given",
        scenario="customer_service",
        domain="phone",
        demo=True,
    )
