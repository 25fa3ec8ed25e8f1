"""The tables of labels, and of the models' heads that calibrations are fitted with."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from emostore.emotions import EMOTIONS
from emostore.store.tables.models import Base, Clip, Id, Json, ModelRevision, Name, Time, Word, one_of

CANNOT_TELL = "cannot_tell"
VERDICTS = (*EMOTIONS, CANNOT_TELL)
# Why a clip was labelled: only those drawn at random speak for all clips.
REASONS = ("chosen", "uncertain", "disagreeing", "random", "imported")


class Label(Base):
    """What one rater hears in a clip: one of the nine or `cannot_tell`, and a second one if there is.

    `intensity` runs from 1 (barely) to 5 (extremely). What it was before is in the audit.
    """

    __tablename__ = "labels"
    id: Mapped[Id]
    clip_id: Mapped[int] = mapped_column(ForeignKey(Clip.id, ondelete="CASCADE"))
    rater: Mapped[Name]
    emotion: Mapped[Word]
    second: Mapped[Word | None]
    intensity: Mapped[int | None]
    comment: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[Word]
    labelled_at: Mapped[Time]

    __table_args__ = (
        UniqueConstraint("clip_id", "rater"),
        Index(None, "rater", "labelled_at"),
        one_of("emotion", VERDICTS),
        one_of("second", EMOTIONS),
        CheckConstraint("second IS NULL OR (second <> emotion AND emotion <> 'cannot_tell')", name="second_beside"),
        CheckConstraint("intensity BETWEEN 1 AND 5", name="intensity"),
        one_of("reason", REASONS),
        {"sqlite_autoincrement": True},
    )


class ModelHead(Base):
    """The last linear layer of a model revision, as `analytics.calibration.Head` writes it."""

    __tablename__ = "model_heads"
    model_revision_id: Mapped[int] = mapped_column(ForeignKey(ModelRevision.id, ondelete="CASCADE"), primary_key=True)
    data: Mapped[Json]
