"""The clips that fit a filter, as a statement that begins at the narrowest of its conditions.

A database that has to guess how rare a combination is may walk through a million clips in the order of
time to find the three that fit. So the conditions that have an index are counted first, up to `ENOUGH`,
and the rarest leads: its rows are few or come in the order of time, and the other conditions are only
asked about these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, exists, false, func, literal, select, tuple_, union_all
from sqlalchemy.orm import Session

from emostore.store.days import days_between
from emostore.store.models import (
    HIGH_FROM,
    ActiveCalibration,
    Agent,
    Analysis,
    Clip,
    ModelRevision,
    Recording,
    Score,
    Team,
)
from emostore.store.report_models import Alert
from emostore.store.types import UtcDateTime
from emostore.store.views import ClipCursor

ENOUGH = 20_000  # a condition that more rows meet is not counted further
ANY_ALERT = "any"

Statement = Select[*tuple[Any, ...]]
Conditions = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which clips: each field that is not None or empty narrows them.

    Days are whole ones in `time_zone`, the first and the last included. `model` is a name and a revision;
    with it, scores are that model's, and `emotion`, `scores` and `status` ask about them, otherwise about the
    newest analysis of each clip. `scores` has emotions with the least and the most that they may reach.
    `alert` is the state of an alert of the clip, or `any`. `agent` and `team` are names.
    """

    agent: str | None = None
    team: str | None = None
    session_id: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    emotion: str | None = None
    role: str | None = None
    model: tuple[str, str] | None = None
    status: str | None = None
    scenario: str | None = None
    domain: str | None = None
    language: str | None = None
    time_zone: str = "UTC"
    scores: tuple[tuple[str, float, float], ...] = ()
    alert: str | None = None


@dataclass(frozen=True, slots=True)
class _Names:
    """What the names of a filter stand for; `calibrations` are those whose scores are asked about."""

    agent_id: int | None = None
    team: tuple[int, ...] = ()
    calibrations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A filter whose names are looked up and whose leading condition is chosen; made by `prepare`."""

    wanted: HistoryFilter
    names: _Names
    lead: str

    def rows(self, limit: int | None = None, *, where: tuple[str, ClipCursor] | None = None) -> Statement:
        """The rows (clip_id, happened_at) that fit, the latest first.

        `where` is `<` or `>` and a position: only clips before it, or after it and then the next first.
        """
        branches = [branch.where(*_beyond(branch, where)) for branch in self._branches()]
        if self.lead not in _IN_ORDER:  # few, so nothing is gained by walking in the order of time
            branches = [select(branch.limit(ENOUGH).subquery()) for branch in branches]
        if len(branches) == 1 and self.lead in _IN_ORDER:
            found = branches[0]
        else:
            found = select(union_all(*branches).subquery() if len(branches) > 1 else branches[0].subquery())
        clip_id, happened_at = found.selected_columns
        ascending = where is not None and where[0] == ">"
        order = (happened_at, clip_id) if ascending else (happened_at.desc(), clip_id.desc())
        return found.order_by(*order).limit(limit)

    def count(self, most: int) -> Statement:
        """How many clips fit, counted up to a number."""
        branches = [branch.limit(most) for branch in self._branches()]
        every = union_all(*(select(each.subquery()) for each in branches)) if len(branches) > 1 else branches[0]
        some = select(every.subquery()).limit(most).subquery()
        return select(func.count()).select_from(some)

    def shown(self, clip_id: Any) -> ColumnElement[int]:
        """The analysis that is shown of a clip: the asked model's, else the newest."""
        analyses = select(Analysis.id).where(Analysis.clip_id == clip_id)
        if self.wanted.model is not None:
            model = _model(self.wanted.model)
            analyses = analyses.where(Analysis.model_revision_id == model, Analysis.granularity == "utterance")
        else:
            analyses = analyses.order_by(Analysis.analysed_at.desc(), Analysis.id.desc()).limit(1)
        return analyses.correlate_except(Analysis, ModelRevision).scalar_subquery()

    def _branches(self) -> list[Statement]:
        if self.lead in _OF_SCORES:
            return [self._from_scores(calibration) for calibration in self.names.calibrations] or [
                select(Clip.id, Clip.happened_at).where(false())
            ]
        if self.lead == "alert":
            return [self._from_alerts()]
        if self.lead == "status":
            return [self._from_analyses()]
        return [self._from_clips()]

    def _from_clips(self) -> Statement:
        conditions: Conditions = [*self._of_clip(self.lead), *self._of_recording(Clip.recording_id)]
        conditions += [*_days(self.wanted, Clip.happened_at), *self._of_analysis(Clip.id), *self._of_alert(Clip.id)]
        return select(Clip.id.label("clip_id"), Clip.happened_at.label("happened_at")).where(*conditions)

    def _from_scores(self, calibration: int) -> Statement:
        conditions: Conditions = [Score.calibration_id == calibration, *_of_scores(self.wanted)]
        if self.wanted.model is None and len(self.names.calibrations) > 1:
            conditions.append(Score.analysis_id == self.shown(Score.clip_id))
        conditions += [*_days(self.wanted, Score.happened_at), *self._elsewhere(Score.clip_id)]
        conditions += self._of_alert(Score.clip_id)
        if self.wanted.status not in (None, "analysed"):
            conditions.append(false())
        return select(Score.clip_id.label("clip_id"), Score.happened_at.label("happened_at")).where(*conditions)

    def _from_alerts(self) -> Statement:
        conditions: Conditions = [
            *_states(self.wanted),
            *_days(self.wanted, Alert.happened_at),
            *self._elsewhere(Alert.clip_id),
        ]
        conditions += [*self._alerts_of_model(), *self._of_analysis(Alert.clip_id)]
        found = select(Alert.clip_id.label("clip_id"), Alert.happened_at.label("happened_at")).distinct()
        return found.where(*conditions)

    def _from_analyses(self) -> Statement:
        conditions: Conditions = [
            Analysis.id == self.shown(Clip.id),
            _no_speech(),
            *_days(self.wanted, Clip.happened_at),
        ]
        conditions += [*self._of_clip(""), *self._of_recording(Clip.recording_id), *self._of_alert(Clip.id)]
        if self.wanted.emotion is not None or self.wanted.scores:
            conditions.append(false())
        found = select(Clip.id.label("clip_id"), Clip.happened_at.label("happened_at"))
        return found.select_from(Analysis).join(Clip, Clip.id == Analysis.clip_id).where(*conditions)

    def _of_clip(self, lead: str) -> Conditions:
        """Conditions on the clip's own row; only that of the leading one may use its index."""
        wanted, names = self.wanted, self.names
        conditions: Conditions = []
        if wanted.agent is not None:
            column = Clip.agent_id if lead == "agent" else func.coalesce(Clip.agent_id, 0)
            conditions.append(column == (names.agent_id or -1))
        if wanted.team is not None:
            column = Clip.agent_id if lead == "team" else func.coalesce(Clip.agent_id, 0)
            conditions.append(column.in_(names.team))
        if wanted.session_id is not None:
            column = Clip.session_id if lead == "session" else func.coalesce(Clip.session_id, 0)
            conditions.append(column == wanted.session_id)
        if wanted.role is not None:
            conditions.append((Clip.role if lead == "role" else func.coalesce(Clip.role, "")) == wanted.role)
        return conditions

    def _of_recording(self, recording_id: Any) -> Conditions:
        asked = {name: getattr(self.wanted, name) for name in ("scenario", "domain", "language")}
        equal = [getattr(Recording, name) == value for name, value in asked.items() if value is not None]
        return [exists().where(Recording.id == recording_id, *equal)] if equal else []

    def _elsewhere(self, clip_id: Any) -> Conditions:
        """Conditions on the clip, of a row that only knows its id."""
        conditions = [*self._of_clip(""), *self._of_recording(Clip.recording_id)]
        return [exists().where(Clip.id == clip_id, *conditions)] if conditions else []

    def _of_analysis(self, clip_id: Any) -> Conditions:
        """Conditions on the analysis that is shown, and on its scores."""
        wanted = self.wanted
        if wanted.emotion is not None or wanted.scores:
            scored = exists().where(
                Score.analysis_id == self.shown(clip_id),
                Score.calibration_id.in_(self.names.calibrations),
                *_of_scores(wanted),
            )
            return [scored]
        if wanted.status is not None:
            return [exists().where(Analysis.id == self.shown(clip_id), Analysis.status == wanted.status)]
        return [self.shown(clip_id).is_not(None)] if wanted.model is not None else []

    def _of_alert(self, clip_id: Any) -> Conditions:
        if self.wanted.alert is None:
            return []
        return [exists().where(Alert.clip_id == clip_id, *_states(self.wanted), *self._alerts_of_model())]

    def _alerts_of_model(self) -> Conditions:
        if self.wanted.model is None:
            return []
        model = Analysis.model_revision_id == _model(self.wanted.model)
        return [exists().where(Analysis.id == Alert.analysis_id, model)]


_IN_ORDER = ("agent", "emotion", "role", "time")  # leads whose index gives the clips by time, the rarest first
_OF_SCORES = ("emotion", "score")


def prepare(session: Session, wanted: HistoryFilter) -> HistoryQuery:
    """Look up the names of a filter and choose the condition that leads, in at most two statements."""
    names = _look_up(session, wanted)
    counted = _counts(wanted, names)
    if len(counted) == 1 and (only := next(iter(counted))) in _IN_ORDER:
        return HistoryQuery(wanted, names, only)
    if not counted:
        return HistoryQuery(wanted, names, "time")
    row = session.execute(select(*(statement.label(lead) for lead, statement in counted.items()))).one()
    counts: Mapping[str, int] = dict(row._mapping)
    lead = min(counted, key=lambda each: (counts[each], each not in _IN_ORDER))
    if counts[lead] >= ENOUGH:
        lead = next(each for each in _IN_ORDER if each in counted or each == "time")
    return HistoryQuery(wanted, names, lead)


def _look_up(session: Session, wanted: HistoryFilter) -> _Names:
    parts = []
    if wanted.agent is not None:
        parts.append(select(literal("agent").label("what"), Agent.id).where(Agent.name == wanted.agent))
    if wanted.team is not None:
        parts.append(select(literal("team").label("what"), Agent.id).join(Team).where(Team.name == wanted.team))
    if wanted.emotion is not None or wanted.scores:
        active = select(literal("calibration").label("what"), ActiveCalibration.calibration_id)
        if wanted.model is not None:
            active = active.where(ActiveCalibration.model_revision_id == _model(wanted.model))
        parts.append(active)
    if not parts:
        return _Names()
    found: dict[str, list[int]] = {"agent": [], "team": [], "calibration": []}
    for what, identifier in session.execute(union_all(*parts) if len(parts) > 1 else parts[0]):
        found[what].append(identifier)
    agent_id = next(iter(found["agent"]), None)
    return _Names(agent_id, tuple(sorted(found["team"])), tuple(sorted(found["calibration"])))


def _counts(wanted: HistoryFilter, names: _Names) -> dict[str, ColumnElement[int]]:
    """For each condition that can lead, how many rows its index alone gives."""
    days = _days(wanted, Clip.happened_at)
    found: dict[str, Statement] = {}
    if wanted.agent is not None:
        found["agent"] = select(Clip.id).where(Clip.agent_id == (names.agent_id or -1), *days)
    if wanted.team is not None:
        found["team"] = select(Clip.id).where(Clip.agent_id.in_(names.team), *days)
    if wanted.session_id is not None:
        found["session"] = select(Clip.id).where(Clip.session_id == wanted.session_id)
    if wanted.role is not None:
        found["role"] = select(Clip.id).where(Clip.role == wanted.role, *days)
    if wanted.alert is not None:
        found["alert"] = select(Alert.id).where(*_states(wanted), *_days(wanted, Alert.happened_at))
    if wanted.status == "no_speech":
        found["status"] = select(Analysis.id).where(_no_speech())
    of_scores = [Score.calibration_id.in_(names.calibrations), *_days(wanted, Score.happened_at)]
    if wanted.emotion is not None:
        found["emotion"] = select(Score.clip_id).where(Score.dominant == wanted.emotion, *of_scores)
    if high := [each for each in wanted.scores if each[1] >= HIGH_FROM]:
        # Of several, the highest floor is likely to be met by the fewest.
        found["score"] = select(Score.clip_id).where(*_between(*max(high, key=lambda each: each[1])), *of_scores)
    return {
        lead: select(func.count()).select_from(each.limit(ENOUGH).subquery()).scalar_subquery()
        for lead, each in found.items()
    }


def _of_scores(wanted: HistoryFilter) -> Conditions:
    conditions: Conditions = [Score.dominant == wanted.emotion] if wanted.emotion is not None else []
    for emotion, low, high in wanted.scores:
        conditions += _between(emotion, low, high)
    return conditions


def _between(emotion: str, low: float, high: float) -> Conditions:
    column: ColumnElement[float] = getattr(Score, emotion)
    # The index holds only scores from `HIGH_FROM` on, and is used only where a statement says so itself.
    indexed = [column >= literal(HIGH_FROM, literal_execute=True)] if low >= HIGH_FROM else []
    return [*indexed, column >= low, column <= high]


def _no_speech() -> ColumnElement[bool]:
    return Analysis.status == literal("no_speech", literal_execute=True)


def _states(wanted: HistoryFilter) -> Conditions:
    return [] if wanted.alert in (None, ANY_ALERT) else [Alert.state == wanted.alert]


def _days(wanted: HistoryFilter, column: Any) -> Conditions:
    return days_between(column, wanted.from_date, wanted.to_date, wanted.time_zone)


def _model(model: tuple[str, str]) -> ColumnElement[int]:
    name, revision = model
    return (
        select(ModelRevision.id).where(ModelRevision.name == name, ModelRevision.revision == revision).scalar_subquery()
    )


def _beyond(statement: Statement, where: tuple[str, ClipCursor] | None) -> Conditions:
    """The condition that a row of a statement (clip_id, happened_at) lies on one side of a position."""
    if where is None:
        return []
    clip_id, happened_at = (column.element for column in statement.selected_columns)
    position = cast("ColumnElement[Any]", tuple_(happened_at, clip_id))
    end = tuple_(literal(where[1].happened_at, UtcDateTime), literal(where[1].clip_id))
    return [position < end if where[0] == "<" else position > end]
