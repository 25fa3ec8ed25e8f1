"""Emotions that a model has never given, by what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from emostore.emotions import EMOTIONS
from emostore.store.reports.reports import SCORES
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.models import RAW_VERSION, ActiveCalibration, Calibration, ModelRevision, Score


@dataclass(frozen=True, slots=True)
class Given:
    """What a model declares, and the highest raw score of each emotion in its latest `clips`; 0.0 in all of none.

    `trained_bias` is of the trained head of the calibration that is read, as it is stored; None if that has none.
    """

    classes: tuple[str, ...]
    clips: int
    highest: tuple[float, ...]  # in the order of the nine
    trained_bias: str | None = None


def given(store: Store, model: Model, latest: int) -> Given | None:
    """The highest raw scores of the `latest` clips of a model, from one end of an index; None if there is no such."""
    with store.reading() as session:
        return within(session, model, latest)


def within(session: Session, model: Model, latest: int) -> Given | None:
    """The same, as a transaction sees it."""
    name, revision = model
    read = aliased(Calibration)
    bias = read.parameters["trained"]["bias"].as_string().label("trained_bias")
    wanted = (
        select(ModelRevision.classes, Calibration.id, bias)
        .join(Calibration, Calibration.model_revision_id == ModelRevision.id)
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .join(read, read.id == ActiveCalibration.calibration_id)
        .where(ModelRevision.name == name, ModelRevision.revision == revision, Calibration.version == RAW_VERSION)
    )
    found = session.execute(wanted).one_or_none()
    if found is None:
        return None
    newest = (
        select(*SCORES)
        .where(Score.calibration_id == found.id)
        .order_by(Score.happened_at.desc(), Score.clip_id.desc())
        .limit(latest)
        .subquery()
    )
    highest = [func.coalesce(func.max(newest.c[name]), 0.0) for name in EMOTIONS]
    clips, *values = session.execute(select(func.count(), *highest).select_from(newest)).one()
    return Given(tuple(found.classes), clips, tuple(values), found.trained_bias)
