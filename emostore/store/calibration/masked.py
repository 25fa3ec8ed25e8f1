"""Emotions that a model has never given, by what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.store.reports.reports import SCORES
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.models import RAW_VERSION, Calibration, ModelRevision, Score


@dataclass(frozen=True, slots=True)
class Given:
    """What a model declares, and the highest raw score of each emotion in its latest `clips`; 0.0 in all of none."""

    classes: tuple[str, ...]
    clips: int
    highest: tuple[float, ...]  # in the order of the nine


def given(store: Store, model: Model, latest: int) -> Given | None:
    """The highest raw scores of the `latest` clips of a model, from one end of an index; None if there is no such."""
    with store.reading() as session:
        return within(session, model, latest)


def within(session: Session, model: Model, latest: int) -> Given | None:
    """The same, as a transaction sees it."""
    name, revision = model
    wanted = (
        select(ModelRevision.classes, Calibration.id)
        .join(Calibration, Calibration.model_revision_id == ModelRevision.id)
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
    return Given(tuple(found.classes), clips, tuple(values))
