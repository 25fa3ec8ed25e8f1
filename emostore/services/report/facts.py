"""What reports are about: everything read from the store, and computed of it, once for all formats."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from typing import cast

from emostore import access
from emostore.analytics.alerts import Role
from emostore.analytics.insight_rules import Scenario
from emostore.analytics.insights import Insight, insights
from emostore.analytics.quality import BALANCED, service_quality_score
from emostore.analytics.trajectory import Trajectory
from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores, is_uncertain
from emostore.errors import MetadataError
from emostore.services import alerting, daily_totals, preferences
from emostore.services.calibration import masked
from emostore.services.calibration.masked import Masked
from emostore.services.views import agent_profile, session_view
from emostore.services.views.agent_profile import AgentProfile
from emostore.services.views.session_view import Conversation, Voice
from emostore.store.reports import alert_reports, reports, session_reports
from emostore.store.reports.alert_reports import AlertFilter
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.report_views import AlertPage, AlertView
from emostore.store.reports.views import AnalysisView, ClipView
from emostore.store.session import Store

MOST_RECORDINGS = 20  # of a session; a report of more is not read, and drawing its charts takes too long
SHOWN_ALERTS = 50  # of an agent, the latest


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """A clip with what its newest analysis says: `quality` is None without scores, and of an agent's own voice.

    `uncertain` is what its confidence counts as (None without scores), `masked` what its model cannot give.
    """

    voice: Voice
    alerts: tuple[AlertView, ...]
    insights: tuple[Insight, ...] = ()
    quality: float | None = None
    uncertain: bool | None = None
    masked: Masked = field(default_factory=Masked)

    @property
    def view(self) -> ClipView:
        """The clip as it is stored."""
        return self.voice.view

    @property
    def analysis(self) -> AnalysisView | None:
        """The analysis that is reported."""
        return self.view.newest

    @property
    def scores(self) -> EmotionScores | None:
        """The nine scores of it, if there was speech."""
        return self.analysis.scores if self.analysis else None

    @property
    def trajectory(self) -> Trajectory | None:
        """The scores over time, if there are any."""
        return self.voice.path if self.scores else None


@dataclass(frozen=True, slots=True)
class Call:
    """The sides of one call of a session, those that readers ask about first in front."""

    conversation: Conversation
    clips: tuple[ClipFacts, ...]


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session and its calls in the order of time; `count` recordings in all, of which `shown` are told of."""

    session_id: int
    name: str
    calls: tuple[Call, ...]
    count: int
    shown: int

    @property
    def clips(self) -> tuple[ClipFacts, ...]:
        """The clips of all calls."""
        return tuple(clip for call in self.calls for clip in call.clips)


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent beside the team by week, from the voices of those they speak with; `masked` is of their model."""

    profile: AgentProfile
    alerts: AlertPage
    from_date: date | None
    to_date: date | None
    masked: Masked = field(default_factory=Masked)


def of_clip(store: Store, clip_id: int) -> ClipFacts:
    """Everything about a clip. Raises `MetadataError` if there is no such clip, and `AccessError`."""
    view = reports.clip_view(store, clip_id)
    access.require("read", view)
    if view is None:
        raise MetadataError("There is no clip {id}. It may have been deleted.", id=clip_id)
    return _Known(store).facts(session_view.voices(store, [view])[0])


def of_session(store: Store, session_id: int) -> SessionFacts:
    """Everything about a session. Raises `MetadataError` if there is no such session, and `AccessError`."""
    view = session_reports.session_view(store, session_id, MOST_RECORDINGS)
    access.require("read", view)
    if view is None:
        raise MetadataError("There is no session {id}. It may have been deleted.", id=session_id)
    known, read, told, calls = _Known(store), session_view.reader(store), set[int](), []
    for recording in view.recordings:
        clip_ids = [row.clip_id for row in recording.clips]
        if told.issuperset(clip_ids):  # the other side of a call that came as two files
            continue
        found = session_view.conversation(store, clip_ids, read)
        if found is not None:  # else it was deleted in this very moment
            told |= {voice.view.clip_id for voice in found.voices}
            sides = session_view.by_interest(found.voices)
            calls.append(Call(found, tuple(known.facts(voice) for voice in sides)))
    return SessionFacts(session_id, view.name, tuple(calls), view.count, len(view.recordings))


def of_agent(
    store: Store,
    settings: Settings,
    agent: str,
    from_date: date | None = None,
    to_date: date | None = None,
    model: tuple[str, str] | None = None,
) -> AgentFacts:
    """An agent in these days, both included. Raises `MetadataError` for no such agent or days, and `AccessError`."""
    access.require("read")
    if from_date and to_date and from_date > to_date:
        raise MetadataError(
            "The days end on {to}, before they begin on {since}. Exchange them.", to=str(to_date), since=str(from_date)
        )
    daily_totals.keep(store, settings.time_zone)
    daily_totals.wait(store)
    zone = settings.time_zone
    wanted = HistoryFilter(agent=agent, from_date=from_date, to_date=to_date, model=model, time_zone=zone)
    profile = agent_profile.load(store, wanted, by_week=True)
    if profile is None:
        raise MetadataError("There is no agent called {name}.", name=agent)
    raised = AlertFilter(agent=agent, from_date=from_date, to_date=to_date, time_zone=zone)
    used = profile.header.model
    absent = masked.of(store, (used.name, used.revision)) if used else Masked()
    return AgentFacts(profile, alert_reports.queue(store, raised, SHOWN_ALERTS), from_date, to_date, absent)


class _Known:
    """What holds for every clip of a report, read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules = [each.rule for each in alerting.active_rules(store)]
        self._uncertain_below = preferences.uncertain_below(store)
        self._masked: dict[tuple[str, str], Masked] = {}

    def facts(self, voice: Voice) -> ClipFacts:
        """What is told of a clip."""
        view, analysis = voice.view, voice.view.newest
        alerts = alert_reports.of_clip(self._store, view.clip_id)
        if analysis is None or analysis.scores is None:
            return ClipFacts(voice, alerts)
        absent = self._absent(analysis)
        found = insights(
            analysis.scores,
            scenario=cast(Scenario | None, view.scenario),
            role=cast(Role, view.role),
            speech_s=math.inf if view.speech_s is None else view.speech_s,
            classes=[name for name in EMOTIONS if name not in (*analysis.missing, *absent.never)],
            alert_rules=self._rules,
        )
        # A voice of an employee is shown for coaching, never scored.
        quality = None if view.role == "agent" else service_quality_score(analysis.scores, BALANCED)
        uncertain = is_uncertain(analysis.scores.confidence, self._uncertain_below)
        return ClipFacts(voice, alerts, found, quality, uncertain, absent)

    def _absent(self, analysis: AnalysisView) -> Masked:
        model = (analysis.model, analysis.revision)
        if model not in self._masked:
            self._masked[model] = masked.of(self._store, model)
        return self._masked[model]
