"""What raters hear in clips, and which clips they might listen to next."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, case, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError
from emostore.store.reports.report_views import ModelInUse
from emostore.store.rollups import rollup_reading
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.label_models import CANNOT_TELL, Label
from emostore.store.tables.models import Analysis, Clip, Embedding, ModelRevision, Recording, Score
from emostore.store.writing import bulk

Reason = Literal["chosen", "uncertain", "disagreeing", "random", "imported"]
Queue = Literal["uncertain", "disagreeing", "random"]

NEWEST = 5_000  # clips among which the least certain are looked for, so that it takes as long with millions
_FEW = 5_000  # analyses that are put in random order whole
_DRAWS = 40  # times as many numbers as clips are drawn, of which some are nobody's


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What a rater hears: `emotion` is one of the nine or `cannot_tell`; `intensity` from 1 to 5."""

    emotion: str
    second: str | None = None
    intensity: int | None = None
    comment: str | None = None
    reason: Reason = "chosen"


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label as it is stored."""

    clip_id: int
    rater: str
    label: NewLabel
    labelled_at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What a rater heard in a clip, and when they said so."""

    rater: str
    label: NewLabel
    labelled_at: datetime


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """How many labels there are, of how many clips, by how many raters; clips with a label that was drawn at random."""

    labels: int
    clips: int
    raters: int
    random_clips: int


@dataclass(frozen=True, slots=True, eq=False)
class LabelledClip:
    """A clip with the verdicts of its raters, and what a model said of it; `embedding` is None if none was kept."""

    clip_id: int
    session_id: int
    raters: tuple[str, ...]
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]
    logits: NDArray[np.float32]
    embedding: NDArray[np.float16] | None
    domain: str | None
    language: str | None


def of_clip(store: Store, clip_id: int) -> tuple[LabelView, ...]:
    """The labels of a clip, by rater."""
    with store.reading() as session:
        rows = session.scalars(select(Label).where(Label.clip_id == clip_id).order_by(Label.rater))
        return tuple(view(row) for row in rows)


def save(
    session: Session, clip_id: int, rater: str, label: NewLabel, labelled_at: datetime | None = None
) -> LabelView | None:
    """Save what a rater hears in a clip (without a time, now), in place of what they heard before, which is answered.

    The same in the same words stays as it is. Raises `MetadataError` if there is no such clip.
    """
    if session.scalar(select(Clip.id).where(Clip.id == clip_id).with_for_update(read=True, key_share=True)) is None:
        raise MetadataError("There is no such clip any more. It may have been deleted.")
    row = _mine(session, clip_id, rater)
    before = None if row is None else view(row)
    if before is not None and before.label == label:
        return before
    if row is None:
        row = Label(clip_id=clip_id, rater=rater)
        session.add(row)
    row.emotion, row.second, row.intensity = label.emotion, label.second, label.intensity
    row.comment, row.reason, row.labelled_at = label.comment, label.reason, labelled_at or datetime.now(UTC)
    session.flush()
    return before


def add_missing(session: Session, given: Mapping[tuple[int, str], Said]) -> set[tuple[int, str]]:
    """Save labels, by clip and rater, where that rater said nothing of that clip yet; which ones these are."""
    there = {key[0] for key in bulk.ids(session, Clip, {(clip_id,) for clip_id, _ in given}, ["id"], lock="share")}
    rows = [
        {"clip_id": clip_id, "rater": rater, **asdict(said.label), "labelled_at": said.labelled_at}
        for (clip_id, rater), said in sorted(given.items(), key=lambda each: each[0])
        if clip_id in there
    ]
    return {(key[0], key[1]) for key in bulk.insert_missing(session, Label, rows, ["clip_id", "rater"])}


def remove(session: Session, clip_id: int, rater: str) -> LabelView:
    """Take a rater's label back; it is answered. Raises `MetadataError` if there is none."""
    row = _mine(session, clip_id, rater)
    if row is None:
        raise MetadataError("There is no such label any more.")
    before = view(row)
    session.execute(delete(Label).where(Label.id == row.id))
    return before


def counts(store: Store) -> LabelCounts:
    """How much has been labelled."""
    clips = func.count(func.distinct(Label.clip_id))
    at_random = func.count(func.distinct(case((Label.reason == "random", Label.clip_id))))
    with store.reading() as session:
        row = session.execute(select(func.count(), clips, func.count(func.distinct(Label.rater)), at_random)).one()
    return LabelCounts(*row)


def ratings(store: Store) -> list[tuple[int, str]]:
    """The clip and the verdict of every label, for agreement; `cannot_tell` is none."""
    with store.reading() as session:
        rows = session.execute(select(Label.clip_id, Label.emotion).where(Label.emotion != CANNOT_TELL))
        return [(clip_id, emotion) for clip_id, emotion in rows]


def labelled(store: Store, model: Model) -> list[LabelledClip]:
    """The clips with labels that a model analysed, by their ids."""
    statement = (
        select(
            *(Clip.id, Clip.session_id, Label.rater, Label.emotion, Label.reason),
            *(Analysis.logits, Embedding.vector, Recording.domain, Recording.language),
        )
        .join(Label, Label.clip_id == Clip.id)
        .join(Recording, Recording.id == Clip.recording_id)
        .join(Analysis, and_(Analysis.clip_id == Clip.id, Analysis.status == "analysed"))
        .join(ModelRevision, ModelRevision.id == Analysis.model_revision_id)
        .outerjoin(Embedding, Embedding.analysis_id == Analysis.id)
        .where(ModelRevision.name == model[0], ModelRevision.revision == model[1])
        .order_by(Clip.id, Label.id)
    )
    found: dict[int, list[Any]] = {}
    with store.reading() as session:
        for row in session.execute(statement):
            found.setdefault(row[0], []).append(row)
    return [
        LabelledClip(
            *(clip_id, rows[0][1], *(tuple(row[place] for row in rows) for place in (2, 3, 4))),
            *rows[0][5:],
        )
        for clip_id, rows in found.items()
    ]


def queue(store: Store, kind: Queue, rater: str, limit: int, model: Model | None = None, seed: int = 0) -> list[int]:
    """Ids of clips that a rater has not labelled: where the model is least certain, where raters or the model
    disagree, or drawn at random, every clip as likely. Without a model that of the newest analysis counts."""
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        if used is None:
            return []
        own = aliased(Label)
        mine = exists().where(own.clip_id == Score.clip_id, own.rater == rater)
        if kind == "uncertain":
            return _uncertain(session, used, ~mine, limit)
        if kind == "disagreeing":
            return _disagreeing(session, used, ~mine, limit)
        return _drawn(session, used, ~mine, limit, random.Random(seed))


def corpus(store: Store, model: Model, limit: int, *, with_embeddings: bool = False) -> list[tuple[Any, ...]]:
    """Logits, embedding (or None) and domain of a model's newest analyses."""
    vector: Any = Embedding.vector if with_embeddings else func.nullif(1, 1)
    statement = (
        select(Analysis.logits, vector, Recording.domain)
        .join(ModelRevision, ModelRevision.id == Analysis.model_revision_id)
        .join(Clip, Clip.id == Analysis.clip_id)
        .join(Recording, Recording.id == Clip.recording_id)
        .where(ModelRevision.name == model[0], ModelRevision.revision == model[1], Analysis.status == "analysed")
        .order_by(Analysis.id.desc())
        .limit(limit)
    )
    if with_embeddings:
        statement = statement.outerjoin(Embedding, Embedding.analysis_id == Analysis.id)
    with store.reading() as session:
        return [tuple(row) for row in session.execute(statement)]


def _uncertain(session: Session, used: ModelInUse, wanted: ColumnElement[bool], limit: int) -> list[int]:
    """Of the newest clips those whose highest score is lowest."""
    newest = (
        select(Score.clip_id, Score.confidence)
        .where(Score.calibration_id == used.calibration_id, wanted)
        .order_by(Score.happened_at.desc())
        .limit(NEWEST)
        .subquery()
    )
    return list(session.scalars(select(newest.c.clip_id).order_by(newest.c.confidence, newest.c.clip_id).limit(limit)))


def _disagreeing(session: Session, used: ModelInUse, wanted: ColumnElement[bool], limit: int) -> list[int]:
    """Clips whose raters differ first, then those of which the model says something else."""
    verdicts = func.count(func.distinct(Label.emotion))
    against = func.max(case((Label.emotion != Score.dominant, 1), else_=0))
    statement = (
        select(Label.clip_id)
        .join(Score, and_(Score.clip_id == Label.clip_id, Score.calibration_id == used.calibration_id))
        .where(wanted, Label.emotion != CANNOT_TELL)
        .group_by(Label.clip_id)
        .having((verdicts > 1) | (against == 1))
        .order_by(verdicts.desc(), Label.clip_id)
    )
    return list(session.scalars(statement.limit(limit)))


def _drawn(
    session: Session, used: ModelInUse, wanted: ColumnElement[bool], limit: int, chance: random.Random
) -> list[int]:
    """Numbers are drawn, and those that are nobody's are left out, so that a gap makes no clip likelier."""
    ours = (Score.calibration_id == used.calibration_id, wanted)
    first, last = session.execute(
        select(func.min(Score.analysis_id), func.max(Score.analysis_id)).where(
            Score.calibration_id == used.calibration_id
        )
    ).one()
    if first is None:
        return []
    if last - first < _FEW:
        everything = list(session.scalars(select(Score.clip_id).where(*ours).order_by(Score.clip_id)))
        return chance.sample(everything, min(limit, len(everything)))
    drawn = sorted({chance.randint(first, last) for _ in range(limit * _DRAWS)})
    found = list(session.scalars(select(Score.clip_id).where(*ours, Score.analysis_id.in_(drawn))))
    return chance.sample(sorted(found), min(limit, len(found)))


def _mine(session: Session, clip_id: int, rater: str) -> Label | None:
    return session.scalar(select(Label).where(Label.clip_id == clip_id, Label.rater == rater).with_for_update())


def view(row: Label) -> LabelView:
    """A label as it is stored."""
    label = NewLabel(row.emotion, row.second, row.intensity, row.comment, row.reason)  # type: ignore[arg-type]
    return LabelView(row.clip_id, row.rater, label, row.labelled_at)


def majority(verdicts: Sequence[str]) -> str | None:
    """The emotion that most raters heard; None if they are divided or could not tell."""
    told = [each for each in verdicts if each != CANNOT_TELL]
    votes = sorted(((told.count(name), name) for name in EMOTIONS if name in told), reverse=True)
    return None if not votes or (len(votes) > 1 and votes[0][0] == votes[1][0]) else votes[0][1]
