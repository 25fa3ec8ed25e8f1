"""Which clips a rule would find something in, by SQL as far as it goes; what a rule is, others know."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store.reports.days import days_between
from emostore.store.reports.report_views import ModelInUse
from emostore.store.rollups import rollup_reading
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.models import (
    RAW_VERSION,
    ROLES,
    ActiveCalibration,
    Analysis,
    Calibration,
    Clip,
    ClipSpeech,
    ModelRevision,
    Score,
)
from emostore.store.tables.report_models import Alert, AlertRule
from emostore.store.writing import bulk

_NEAR = 1e-9  # farther from a limit than this, binary arithmetic cannot be on the wrong side of it
_AT_ONCE = 500  # analyses with their windows


@dataclass(frozen=True, slots=True)
class Scope:
    """Which clips a rule is asked about: those of a model, of some days and roles, with enough speech.

    Without a model that of the newest analysis counts; no roles means all; days are whole ones in `time_zone`.
    """

    model: Model | None = None
    from_date: date | None = None
    to_date: date | None = None
    time_zone: str = "UTC"
    roles: tuple[str, ...] = ()
    min_speech_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """A sum of scores and what it must be: `operator` is >, >=, < or <=."""

    emotions: tuple[str, ...]
    operator: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Counted:
    """How many clips are certainly beyond a limit, how many are too near to it to tell, and how many were asked."""

    beyond: int
    near: int
    asked: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An analysis that a rule may find something in; windows are logits, shape (windows, 9), None if not asked for.

    With windows come the clip's `segments` of speech, seconds of shape (n, 2), where they are known. The scores are
    those of the calibration `read_under`, None being raw; windows are raw logits.
    """

    analysis_id: int
    clip_id: int
    role: str
    speech_s: float | None
    read_under: int | None
    scores: EmotionScores
    windows: NDArray[np.float32] | None
    hop_s: float | None
    length_s: float | None
    segments: NDArray[np.float64] | None
    model: Model
    classes: tuple[str, ...]  # emotions that the model says it can produce


def model_in_use(store: Store, model: Model | None) -> ModelInUse | None:
    """Of which model, and under which calibration, `candidates` are now; None if there is none."""
    with store.reading() as session:
        return rollup_reading.model_in_use(session, model)


def hold_calibrations(session: Session) -> dict[int, int]:
    """The calibration that is read of each model, by their ids, which stay so until the commit."""
    statement = select(ActiveCalibration.model_revision_id, ActiveCalibration.calibration_id)
    in_order = statement.order_by(ActiveCalibration.model_revision_id).with_for_update(read=True)
    return {row.model_revision_id: row.calibration_id for row in session.execute(in_order)}


def count(store: Store, scope: Scope, limit: Limit) -> Counted:
    """How many clips have a sum of scores beyond a limit; the few near it are decided on by who adds exactly."""
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, scope.model)
        if used is None:
            return Counted(0, 0, 0)
        beyond, near = (func.sum(case((condition, 1), else_=0)) for condition in _beyond(limit))
        statement = select(beyond, near, func.count()).select_from(Score)
        if of_clip := _of_clip(scope):
            # The days once more, so that clips of others need not be looked at either.
            days = days_between(Clip.happened_at, scope.from_date, scope.to_date, scope.time_zone)
            statement = statement.join(Clip, Clip.id == Score.clip_id).where(*of_clip, *days)
        found = session.execute(statement.where(*_of_scores(used, scope))).one()
    return Counted(*(int(value or 0) for value in found))


def candidates(
    store: Store,
    scope: Scope,
    limit: Limit | None = None,
    *,
    only_near: bool = False,
    with_windows: bool = False,
    used: ModelInUse | None = None,
) -> Iterator[Candidate]:
    """The analyses of a scope, read some at a time, with the scores of `used`: without it, those that are read now.

    With a `limit` only those beyond it or near it (`only_near`: these alone); `with_windows` those that have windows.
    """
    with store.reading() as session:
        used = used or rollup_reading.model_in_use(session, scope.model)
        if used is None:
            return
        statement = _statement(scope, with_windows)
        if limit is not None:
            beyond, near = _beyond(limit)
            statement = statement.where(near if only_near else beyond | near)
        statement = statement.where(*_of_scores(used, scope)).execution_options(yield_per=_AT_ONCE)
        for row in session.execute(statement):
            yield _candidate(row, (used.name, used.revision), used.classes, used.read_under, with_windows)


def of_clips(session: Session, clip_ids: Collection[int]) -> list[Candidate]:
    """Every analysis of some clips, with its windows and the scores that count now."""
    calibrated = (Score.analysis_id == Analysis.id) & (Score.calibration_id == ActiveCalibration.calibration_id)
    statement = (
        select(
            *(ModelRevision.name, ModelRevision.revision, ModelRevision.classes),
            *(Calibration.id, Calibration.version, *_columns(with_windows=True)),
        )
        .select_from(Clip)
        .join(Analysis, Analysis.clip_id == Clip.id)
        .join(ModelRevision, ModelRevision.id == Analysis.model_revision_id)
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .join(Calibration, Calibration.id == ActiveCalibration.calibration_id)
        .join(Score, calibrated)
    )
    found: list[Candidate] = []
    keys = [(key,) for key in sorted({*clip_ids})]
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], keys):
        for name, revision, classes, identifier, version, *values in session.execute(
            statement.where(condition), parameters
        ):
            read_under = None if version == RAW_VERSION else identifier
            found.append(_candidate(values, (name, revision), tuple(classes), read_under, True))
    return found


def alerted(store: Store, rule: str, scope: Scope) -> Iterator[int]:
    """The analyses by a model, of clips from some days on, with an open alert of a rule, any version."""
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, scope.model)
        if used is None:
            return
        versions = select(AlertRule.id).where(AlertRule.name == rule)
        statement = (
            select(Alert.analysis_id)
            .join(Analysis, Analysis.id == Alert.analysis_id)
            .where(Alert.rule_id.in_(versions), Alert.state == "open", Analysis.model_revision_id == used.model_id)
            .where(*days_between(Alert.happened_at, scope.from_date, scope.to_date, scope.time_zone))
        )
        yield from session.scalars(statement.distinct().execution_options(yield_per=_AT_ONCE))


def _candidate(
    row: Sequence[Any], model: Model, classes: tuple[str, ...], read_under: int | None, with_windows: bool
) -> Candidate:
    analysis_id, clip_id, role, speech_s, hop_s, length_s, *rest = row
    windows, segments = (rest.pop(), rest.pop()) if with_windows else (None, None)
    logits = None if windows is None else windows.astype(np.float32)
    about = (analysis_id, clip_id, role, speech_s, read_under, EmotionScores(tuple(rest)))
    return Candidate(*about, logits, hop_s, length_s, segments, model, classes)


def _statement(scope: Scope, with_windows: bool) -> Select[*tuple[Any, ...]]:
    statement = (
        select(*_columns(with_windows))
        .select_from(Score)
        .join(Analysis, Analysis.id == Score.analysis_id)
        .join(Clip, Clip.id == Score.clip_id)
        .where(*_of_clip(scope))
    )
    return statement.where(Analysis.window_count.is_not(None)) if with_windows else statement


def _columns(with_windows: bool) -> list[Any]:
    about = [Analysis.id, Clip.id, Clip.role, Clip.speech_s, Analysis.window_hop_s, Analysis.window_length_s]
    scores = [getattr(Score, name) for name in EMOTIONS]
    segments = select(ClipSpeech.segments).where(ClipSpeech.clip_id == Clip.id).correlate(Clip).scalar_subquery()
    return [*about, *scores, *([segments, Analysis.window_logits] if with_windows else [])]


def _beyond(limit: Limit) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    first, *others = (getattr(Score, name) for name in limit.emotions)
    total = sum(others, start=first)
    over = limit.operator in (">", ">=")
    beyond = total > limit.threshold + _NEAR if over else total < limit.threshold - _NEAR
    return beyond, total.between(limit.threshold - _NEAR, limit.threshold + _NEAR)


def _of_scores(used: ModelInUse, scope: Scope) -> list[ColumnElement[bool]]:
    days = days_between(Score.happened_at, scope.from_date, scope.to_date, scope.time_zone)
    return [Score.calibration_id == used.calibration_id, *days]


def _of_clip(scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if scope.roles and set(scope.roles) != set(ROLES):
        conditions.append(Clip.role.in_(sorted(scope.roles)))
    if scope.min_speech_s > 0:  # speech of unknown length is taken for none
        conditions.append(Clip.speech_s >= scope.min_speech_s)
    return conditions
