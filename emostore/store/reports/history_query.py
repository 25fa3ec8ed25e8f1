"""The clips that fit a filter, as a statement that begins at the narrowest of its conditions.

A database that has to guess how rare a combination is may walk through a million clips in the order of
time to find the three that fit. So the conditions that have an index are counted first, up to `ENOUGH`,
and the rarest leads: its rows are few or come in the order of time, and the other conditions are only
asked about these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, exists, false, func, literal, null, select, tuple_, union_all
from sqlalchemy.orm import Session

from emostore.store import preferences
from emostore.store.reports import score_conditions
from emostore.store.reports.days import days_between
from emostore.store.reports.history_filter import HistoryFilter
from emostore.store.reports.score_conditions import Conditions
from emostore.store.reports.views import ClipCursor
from emostore.store.tables.label_models import Label
from emostore.store.tables.models import (
    HIGH_FROM,
    ActiveCalibration,
    Agent,
    Analysis,
    Base,
    Clip,
    ModelRevision,
    Recording,
    Score,
    Team,
)
from emostore.store.tables.report_models import Alert
from emostore.store.tables.types import UtcDateTime

ENOUGH = 50_000  # a condition that more rows meet is not counted further
ANY_ALERT = "any"

Statement = Select[*tuple[Any, ...]]


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

    def page(self, limit: int, *, before: ClipCursor | None = None, after: ClipCursor | None = None) -> Statement:
        """Rows (clip_id, happened_at, beyond, total) that fit: the latest first, but `after` a cursor the next first.

        `beyond` tells of rows on the other side of the cursor. `total` is how many fit, None where that was
        not counted on the way (`count` does).
        """
        cursor, side, other = (after, ">", "<=") if after is not None else (before, "<", ">=")
        if self.lead in _IN_ORDER:
            rows = self._every(side, cursor)
            there = self._every(other, cursor).limit(1).subquery()
            beyond: Any = select(there.c.clip_id).scalar_subquery() if cursor else null()
            total: Any = null()
        else:  # few, so they are found once and counted, and the page is taken from them
            few = select(self._every().limit(ENOUGH).subquery())
            found = (few.distinct() if self.lead in _SEVERAL else few).cte("found")
            rows = select(found).where(*_on_side(found.c, side, cursor)).order_by(*_by_time(found.c, side))
            beyond = exists().where(*_on_side(found.c, other, cursor)) if cursor else null()
            total = select(func.count()).select_from(found).scalar_subquery()
        return rows.add_columns(beyond.label("beyond"), total.label("total")).limit(limit)

    def count(self, most: int) -> Statement:
        """How many clips fit, counted up to a number."""
        return select(func.count()).select_from(self._every().limit(most).subquery())

    def shown(self, clip_id: Any) -> ColumnElement[int]:
        """The analysis that is shown of a clip: the asked model's, else the newest."""
        analyses = select(Analysis.id).where(Analysis.clip_id == clip_id)
        if self.wanted.model is not None:
            model = _model(self.wanted.model)
            analyses = analyses.where(Analysis.model_revision_id == model, Analysis.granularity == "utterance")
        else:
            analyses = analyses.order_by(Analysis.analysed_at.desc(), Analysis.id.desc()).limit(1)
        return analyses.correlate_except(Analysis, ModelRevision).scalar_subquery()

    def _every(self, side: str = "<", cursor: ClipCursor | None = None) -> Statement:
        """The rows (clip_id, happened_at) that fit, on one side of a cursor; in order if the leading index is."""
        if self.lead in _OF_SCORES:
            parts = _PARTS_OF_SCORES[self.lead](self.wanted) if self.lead in _PARTS_OF_SCORES else [[]]
            branches = [self._from_scores(each, part) for each in self.names.calibrations for part in parts]
        else:
            branches = [_LEADS.get(self.lead, HistoryQuery._from_clips)(self)]
        if not branches:
            branches = [select(Clip.id.label("clip_id"), Clip.happened_at.label("happened_at")).where(false())]
        branches = [branch.where(*_on_side(_sources(branch), side, cursor)) for branch in branches]
        rows = branches[0] if len(branches) == 1 else select(union_all(*branches).subquery())
        return rows.order_by(*_by_time(rows.selected_columns, side)) if self.lead in _IN_ORDER else rows

    def _from_clips(self) -> Statement:
        conditions: Conditions = [*self._of_clip(self.lead), *self._of_recording(Clip.recording_id)]
        conditions += [*_days(self.wanted, Clip.happened_at), *self._of_analysis(Clip.id), *self._of_marks(Clip.id)]
        return select(Clip.id.label("clip_id"), Clip.happened_at.label("happened_at")).where(*conditions)

    def _from_scores(self, calibration: int, part: Conditions) -> Statement:
        """Rows of one calibration, and of one of the parts that the leading condition falls into."""
        conditions: Conditions = [
            Score.calibration_id == calibration,
            *part,
            *score_conditions.of_scores(self.wanted, self.lead),
        ]
        if self.wanted.model is None and len(self.names.calibrations) > 1:
            conditions.append(Score.analysis_id == self.shown(Score.clip_id))
        conditions += [*_days(self.wanted, Score.happened_at), *self._elsewhere(Score.clip_id)]
        conditions += self._of_marks(Score.clip_id)
        if self.wanted.status not in (None, "analysed"):
            conditions.append(false())
        return select(Score.clip_id.label("clip_id"), Score.happened_at.label("happened_at")).where(*conditions)

    def _from_alerts(self) -> Statement:
        conditions: Conditions = [
            *_states(self.wanted),
            *_days(self.wanted, Alert.happened_at),
            *self._elsewhere(Alert.clip_id),
        ]
        conditions += [*self._alerts_of_model(), *self._of_analysis(Alert.clip_id), *self._of_label(Alert.clip_id)]
        return select(Alert.clip_id.label("clip_id"), Alert.happened_at.label("happened_at")).where(*conditions)

    def _from_analyses(self) -> Statement:
        conditions: Conditions = [
            Analysis.id == self.shown(Clip.id),
            _no_speech(),
            *_days(self.wanted, Clip.happened_at),
        ]
        conditions += [*self._of_clip(""), *self._of_recording(Clip.recording_id), *self._of_marks(Clip.id)]
        if self.wanted.asks_scores:
            conditions.append(false())
        found = select(Clip.id.label("clip_id"), Clip.happened_at.label("happened_at"))
        return found.select_from(Analysis).join(Clip, Clip.id == Analysis.clip_id).where(*conditions)

    def _from_labels(self) -> Statement:
        conditions: Conditions = [*_days(self.wanted, Clip.happened_at), *self._of_clip("")]
        conditions += [*self._of_recording(Clip.recording_id), *self._of_analysis(Clip.id), *self._of_alert(Clip.id)]
        found = select(Clip.id.label("clip_id"), Clip.happened_at.label("happened_at"))
        return found.select_from(Label).join(Clip, Clip.id == Label.clip_id).where(*conditions)

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
        return [_there_is([Recording], Recording.id == recording_id, *equal)] if equal else []

    def _elsewhere(self, clip_id: Any) -> Conditions:
        """Conditions on the clip, of a row that only knows its id."""
        conditions = [*self._of_clip(""), *self._of_recording(Clip.recording_id)]
        return [_there_is([Clip], Clip.id == clip_id, *conditions)] if conditions else []

    def _of_analysis(self, clip_id: Any) -> Conditions:
        """Conditions on the analysis that is shown, and on its scores."""
        wanted = self.wanted
        if wanted.asks_scores:
            if wanted.status not in (None, "analysed"):
                return [false()]  # what has no speech has no scores
            # Not by an index of scores: the clip leads to one analysis, and that to its scores.
            ours = [
                func.coalesce(Score.calibration_id, 0).in_(self.names.calibrations),
                *score_conditions.of_scores(wanted),
            ]
            if len(self.names.calibrations) == 1:  # of one model, of which a clip has one analysis
                return [
                    _there_is([Score, Analysis], Analysis.clip_id == clip_id, Score.analysis_id == Analysis.id, *ours)
                ]
            return [_there_is([Score], Score.analysis_id == self.shown(clip_id), *ours)]
        if wanted.status is not None:
            return [_there_is([Analysis], Analysis.id == self.shown(clip_id), Analysis.status == wanted.status)]
        return [self.shown(clip_id).is_not(None)] if wanted.model is not None else []

    def _of_marks(self, clip_id: Any) -> Conditions:
        """Conditions on what is marked of a clip: its alerts and its labels."""
        return [*self._of_alert(clip_id), *self._of_label(clip_id)]

    def _of_label(self, clip_id: Any) -> Conditions:
        return [_there_is([Label], Label.clip_id == clip_id)] if self.wanted.labelled else []

    def _of_alert(self, clip_id: Any) -> Conditions:
        if self.wanted.alert is None:
            return []
        return [_there_is([Alert], Alert.clip_id == clip_id, *_states(self.wanted), *self._alerts_of_model())]

    def _alerts_of_model(self) -> Conditions:
        if self.wanted.model is None:
            return []
        model = Analysis.model_revision_id == _model(self.wanted.model)
        return [_there_is([Analysis], Analysis.id == Alert.analysis_id, model)]


_IN_ORDER = (
    "agent",
    "emotion",
    "group",
    "role",
    "scored",
    "time",
)  # leads whose index gives the clips by time, the rarest first
_OF_SCORES = ("emotion", "group", "score", "sum", "scored")
_PARTS_OF_SCORES = {"group": score_conditions.by_emotion, "sum": score_conditions.high_parts}  # the others are whole
_SEVERAL = ("alert", "label")  # a clip may have more than one
_LEADS = {
    "alert": HistoryQuery._from_alerts,
    "label": HistoryQuery._from_labels,
    "status": HistoryQuery._from_analyses,
}


def prepare(session: Session, wanted: HistoryFilter) -> HistoryQuery:
    """Look up the names of a filter and choose the condition that leads, in at most three statements."""
    if wanted.certain is not None:
        wanted = replace(wanted, uncertain_below=preferences.uncertain_below(session))
    names = _look_up(session, wanted)
    counted = _counts(wanted, names)
    # What leads where nothing is rare.
    least = "scored" if wanted.scores or wanted.group_sum or wanted.certain is not None else "time"
    if not counted:
        return HistoryQuery(wanted, names, least)
    if len(counted) == 1 and (only := next(iter(counted))) in _IN_ORDER:
        return HistoryQuery(wanted, names, only)
    row = session.execute(select(*(statement.label(lead) for lead, statement in counted.items()))).one()
    counts: Mapping[str, int] = dict(row._mapping)
    lead = min(counted, key=lambda each: (counts[each], each not in _IN_ORDER))
    if counts[lead] >= ENOUGH:
        lead = next(each for each in _IN_ORDER if each in counted or each == least)
    return HistoryQuery(wanted, names, lead)


def _look_up(session: Session, wanted: HistoryFilter) -> _Names:
    parts = []
    if wanted.agent is not None:
        parts.append(select(literal("agent").label("what"), Agent.id).where(Agent.name == wanted.agent))
    if wanted.team is not None:
        parts.append(select(literal("team").label("what"), Agent.id).join(Team).where(Team.name == wanted.team))
    if wanted.asks_scores:
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
    if _states(wanted):
        found["alert"] = select(Alert.id).where(*_states(wanted), *_days(wanted, Alert.happened_at))
    if wanted.labelled:
        found["label"] = select(Label.id)
    if wanted.status == "no_speech":
        found["status"] = select(Analysis.id).where(_no_speech())
    of_scores = [Score.calibration_id.in_(names.calibrations), *_days(wanted, Score.happened_at)]
    if (emotion := score_conditions.dominant(wanted)) is not None:
        found["emotion"] = select(Score.clip_id).where(Score.dominant == emotion, *of_scores)
    elif wanted.group is not None:
        found["group"] = select(Score.clip_id).where(Score.dominant.in_(wanted.group.emotions), *of_scores)
    if high := [each for each in wanted.scores if each[1] >= HIGH_FROM]:
        # Of several, the highest floor is likely to be met by the fewest.
        highest = max(high, key=lambda each: each[1])
        found["score"] = select(Score.clip_id).where(*score_conditions.between(*highest), *of_scores)
    if parts := score_conditions.high_parts(wanted):
        every = [select(Score.clip_id).where(*part, *of_scores) for part in parts]
        found["sum"] = select(union_all(*every).subquery()) if len(every) > 1 else every[0]
    return {
        lead: select(func.count()).select_from(each.limit(ENOUGH).subquery()).scalar_subquery()
        for lead, each in found.items()
    }


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


def _there_is(tables: Sequence[type[Base]], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """That there is such a row, asked of each row that leads. EXISTS may be turned into a join that leads itself."""
    asked = select(literal(1)).select_from(*tables).where(*conditions).correlate_except(*tables)
    return asked.limit(1).scalar_subquery().is_not(None)


def _sources(statement: Statement) -> Any:
    """The columns behind clip_id and happened_at, which conditions need, because they cannot ask for labels."""
    clip_id, happened_at = (column.element for column in statement.selected_columns)
    return SimpleNamespace(clip_id=clip_id, happened_at=happened_at)


def _on_side(columns: Any, side: str, cursor: ClipCursor | None) -> Conditions:
    """That a row lies on a side of a cursor: `<` is earlier, `>=` at the cursor or later."""
    if cursor is None:
        return []
    position = cast("ColumnElement[Any]", tuple_(columns.happened_at, columns.clip_id))
    end = tuple_(literal(cursor.happened_at, UtcDateTime), literal(cursor.clip_id))
    return [position.op(side, is_comparison=True)(end)]


def _by_time(columns: Any, side: str) -> list[ColumnElement[Any]]:
    if side.startswith(">"):
        return [columns.happened_at.asc(), columns.clip_id.asc()]
    return [columns.happened_at.desc(), columns.clip_id.desc()]
