"""Calibrations: a new set of scores is written beside the old one, then one pointer is moved.

Roll-ups are kept for every calibration, so that moving the pointer costs nothing and can be undone. From the moment a
calibration begins to be scored until it is read no more, every new analysis brings its scores (`saving`), so that what
was there before is all that `rescoring` has to write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from emostore.emotions import EmotionScores
from emostore.errors import MetadataError
from emostore.store.rollups import rollup_facts, rollups
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.label_models import ModelHead
from emostore.store.tables.models import (
    NAME_LENGTH,
    RAW_VERSION,
    ActiveCalibration,
    Analysis,
    Calibration,
    Clip,
    ModelRevision,
    Score,
)
from emostore.store.tables.report_models import clusters
from emostore.store.tables.report_models import rollups as rollup_table
from emostore.store.writing import bulk, saving
from emostore.store.writing.names import clean, clean_name

State = Literal["ready", "scoring", "settling", "complete"]


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """A calibration; what `parameters`, `fitted_on` and `metrics` mean is not known here.

    `model` is name and revision; `active` says that its scores are read.
    """

    id: int
    model: Model
    classes: tuple[str, ...]
    version: int
    name: str
    parameters: Mapping[str, Any]
    fitted_on: Mapping[str, Any]
    metrics: Mapping[str, Any]
    state: State
    created_at: datetime
    created_by: str
    active: bool


def listed(store: Store, model: Model | None = None) -> tuple[CalibrationView, ...]:
    """The calibrations of a model, or of all, the latest version first."""
    condition = True if model is None else and_(ModelRevision.name == model[0], ModelRevision.revision == model[1])
    with store.reading() as session:
        return _views(session, condition)


def get(store: Store, calibration_id: int) -> CalibrationView:
    """One of them. Raises `MetadataError` if it is not there any more."""
    with store.reading() as session:
        return within(session, calibration_id)


def within(session: Session, calibration_id: int) -> CalibrationView:
    """One of them, in a transaction. Raises `MetadataError` if it is not there any more."""
    found = _views(session, Calibration.id == calibration_id)
    if not found:
        raise MetadataError("There is no such calibration any more.")
    return found[0]


def unfinished(store: Store) -> tuple[CalibrationView, ...]:
    """Those that somebody has activated, and whose scores or alerts are not there yet."""
    with store.reading() as session:
        return _views(session, Calibration.state.in_(("scoring", "settling")))


def live(store: Store, models: Collection[Model]) -> dict[Model, tuple[CalibrationView, ...]]:
    """What new analyses of these models are scored under: the one that is read, and any being scored; by model."""
    with store.reading() as session:
        views = _views(session, or_(Calibration.id == ActiveCalibration.calibration_id, Calibration.state == "scoring"))
    return {model: tuple(view for view in views if view.model == model) for model in models}


def of_recordings(session: Session, recording_ids: Sequence[int]) -> tuple[CalibrationView, ...]:
    """The calibrations of the models that analysed any of these recordings."""
    found: set[int] = set()
    keys = [(key,) for key in sorted(set(recording_ids))]
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.recording_id], keys):
        statement = select(Analysis.model_revision_id).join(Clip, Clip.id == Analysis.clip_id).where(condition)
        found.update(session.scalars(statement.distinct(), parameters))
    return _views(session, Calibration.model_revision_id.in_(found))


def model_id(session: Session, model: Model) -> int:
    """The id of a model revision. Raises `MetadataError` if nothing was analysed with it."""
    name, revision = model
    found = session.scalar(
        select(ModelRevision.id).where(ModelRevision.name == name, ModelRevision.revision == revision)
    )
    if found is None:
        raise MetadataError("Nothing has been analysed with {model}.", model=f"{name} {revision}")
    return found


def add(
    session: Session,
    model_revision_id: int,
    name: str,
    parameters: Mapping[str, Any],
    *,
    fitted_on: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    user: str = "",
) -> int:
    """Add the next version of a model's calibration, without scores and not active; its id.

    Raises `MetadataError` for a name that is empty or too long.
    """
    cleaned = clean_name(name, "calibration")
    if cleaned is None:
        raise MetadataError("A name cannot be empty. Write one.")
    # Whoever adds one at the same time waits here, so that no version is given twice.
    session.execute(_pointer(model_revision_id))
    last = select(func.max(Calibration.version)).where(Calibration.model_revision_id == model_revision_id)
    row = Calibration(
        model_revision_id=model_revision_id,
        version=(session.scalar(last) or 0) + 1,
        name=cleaned,
        parameters=dict(parameters),
        fitted_on=dict(fitted_on or {}),
        metrics=dict(metrics or {}),
        created_at=datetime.now(UTC),
        created_by=clean(user)[:NAME_LENGTH],
        state="ready",
        scored_to=0,
    )
    session.add(row)
    session.flush()
    return row.id


def begin(session: Session, calibration_id: int) -> CalibrationView:
    """Begin to score a calibration, from the start; what is scored already is left as it is.

    Every analysis that is saved from the commit on brings its scores under it, and every one before is there. Another
    one of the model that was being scored is left. Raises `MetadataError` if it is gone or is read already.
    """
    found = within(session, calibration_id)
    revision = model_id(session, found.model)
    session.execute(_pointer(revision))  # waits for whoever is saving, and they for this
    found = within(session, calibration_id)
    if found.active:
        raise MetadataError("The scores of this calibration are read already.")
    others = and_(Calibration.model_revision_id == revision, Calibration.state == "scoring")
    session.execute(update(Calibration).where(others).values(state="ready"))
    # Raw scores are written of every analysis, whatever is read.
    state = "complete" if found.version == RAW_VERSION else "scoring"
    session.execute(update(Calibration).where(Calibration.id == calibration_id).values(state=state, scored_to=0))
    return within(session, calibration_id)


def activate(session: Session, calibration_id: int, *, expected: State | None = None) -> int:
    """Let everybody read the scores of this calibration; the id of the one before. Raises `MetadataError`.

    Nothing happens if its state is not the `expected` one any more. One that is not read any more gets no new scores,
    so that it has to be completed before it is read again; raw scores always are.
    """
    model = session.scalar(select(Calibration.model_revision_id).where(Calibration.id == calibration_id))
    if model is None:
        raise MetadataError("There is no such calibration any more.")
    before: int = session.scalars(_pointer(model)).one().calibration_id
    state = session.scalar(select(Calibration.state).where(Calibration.id == calibration_id))
    if before == calibration_id or (expected is not None and state != expected):
        return before
    session.execute(
        update(ActiveCalibration)
        .where(ActiveCalibration.model_revision_id == model)
        .values(calibration_id=calibration_id)
    )
    left = and_(Calibration.id == before, Calibration.version != RAW_VERSION)
    session.execute(update(Calibration).where(left).values(state="ready"))
    session.execute(update(Calibration).where(Calibration.id == calibration_id).values(state="settling"))
    return before


def stop(session: Session, calibration_id: int) -> bool:
    """Leave a calibration that is being scored, whose scores so far stay; False if it is read already, or gone."""
    revision = select(Calibration.model_revision_id).where(Calibration.id == calibration_id).scalar_subquery()
    session.execute(_pointer(revision))  # as `begin` and `activate` do
    scoring = and_(Calibration.id == calibration_id, Calibration.state == "scoring")
    return session.connection().execute(update(Calibration).where(scoring).values(state="ready")).rowcount > 0


def settle(session: Session, calibration_id: int) -> None:
    """Say that the alerts, too, are those of the calibration that is read."""
    settling = and_(Calibration.id == calibration_id, Calibration.state == "settling")
    session.execute(update(Calibration).where(settling).values(state="complete"))


def remove(session: Session, calibration_id: int) -> None:
    """Delete a calibration that is not active, with its scores and roll-ups."""
    session.execute(delete(Calibration).where(Calibration.id == calibration_id))
    for table in (rollup_table, clusters):
        session.execute(delete(table).where(table.c.calibration_id == calibration_id))


def save_scores(session: Session, calibration_id: int, scores: Mapping[int, EmotionScores]) -> None:
    """Save the scores of analyses, by their ids, under a calibration; those that are gone are left out."""
    clips: dict[int, int] = {}
    keys = [(key,) for key in sorted(scores)]
    for condition, parameters in bulk.matching(session, [bulk.table(Analysis).c.id], keys):
        rows = session.execute(select(Analysis.id, Analysis.clip_id).where(condition), parameters)
        clips.update((analysis_id, clip_id) for analysis_id, clip_id in rows)
    saving.hold(session, set(clips.values()))
    held = saving.described(session, set(clips.values()))
    there = {analysis_id: clip_id for analysis_id, clip_id in clips.items() if clip_id in held}
    bulk.add(
        session,
        Score,
        [
            saving.score_row(analysis_id, calibration_id, clip_id, held[clip_id].happened_at, scores[analysis_id])
            for analysis_id, clip_id in there.items()
        ],
    )
    for condition, parameters in bulk.matching(
        session, [bulk.table(Score).c.analysis_id], [(key,) for key in sorted(there)]
    ):
        ours = and_(condition, Score.calibration_id == calibration_id)
        rollups.add(session, rollup_facts.of_clips(session, ours, parameters))


def head(store: Store, model: Model) -> Mapping[str, Any] | None:
    """The model's head as it was kept; None if the model never gave it."""
    with store.reading() as session:
        statement = select(ModelHead.data).join(ModelRevision, ModelRevision.id == ModelHead.model_revision_id)
        found = session.scalar(statement.where(ModelRevision.name == model[0], ModelRevision.revision == model[1]))
    return None if found is None else dict(found)


def has_head(store: Store, model: Model) -> bool:
    """Whether the model's head was kept."""
    statement = select(ModelHead.model_revision_id).join(ModelRevision, ModelRevision.id == ModelHead.model_revision_id)
    with store.reading() as session:
        wanted = statement.where(ModelRevision.name == model[0], ModelRevision.revision == model[1])
        return session.scalar(wanted) is not None


def keep_head(session: Session, model: Model, data: Mapping[str, Any]) -> None:
    """Keep the head of a model; one that is there stays, because a revision never changes."""
    key = model_id(session, model)
    if session.get(ModelHead, key) is None:
        session.add(ModelHead(model_revision_id=key, data=dict(data)))
        session.flush()


def _pointer(model_revision_id: Any) -> Any:
    """The model's pointer, which savers share and which is this transaction's alone."""
    pointer = select(ActiveCalibration).where(ActiveCalibration.model_revision_id == model_revision_id)
    return pointer.with_for_update()


def _views(session: Session, condition: Any) -> tuple[CalibrationView, ...]:
    statement = (
        select(Calibration, ModelRevision, ActiveCalibration.calibration_id == Calibration.id)
        .join(ModelRevision, ModelRevision.id == Calibration.model_revision_id)
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .where(condition)
        .order_by(ModelRevision.id, Calibration.version.desc())
        .execution_options(populate_existing=True)
    )
    return tuple(
        CalibrationView(
            row.id,
            (model.name, model.revision),
            tuple(model.classes),
            row.version,
            row.name,
            row.parameters,
            row.fitted_on or {},
            row.metrics or {},
            row.state,  # type: ignore[arg-type]  # the table's constraint allows no other
            row.created_at,
            row.created_by or "",
            bool(active),
        )
        for row, model, active in session.execute(statement)
    )
