"""The tables of reports: roll-ups, alerts and their rules, scoring and target profiles, label groups."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from emostore.emotions import EMOTIONS
from emostore.store.tables.models import Analysis, Base, Clip, Id, Json, Name, Number, Time, Word, one_of

SEVERITIES = ("low", "medium", "high")
ALERT_STATES = ("open", "acknowledged", "resolved", "false_alarm")

# Roll-ups hold whole numbers only: adding and taking away again leaves exactly what was there before,
# in any order, which sums of floating-point numbers do not.
SCORE_UNIT = 1_000_000  # a score of 1, in the sums of roll-ups
WEIGHT_UNIT = 1_000  # a second of speech
NOBODY = 0  # the agent of clips whose agent is not known
EVERYBODY = -1  # all clips together
SPANS = (1, 7, 28)  # days that a row covers; a week begins on Monday, and four of them nest

# The part of a clip's scores in which every quality score is linear, as `parts` of a cluster.
PARTS = {
    "positive": ("happy", "surprised"),
    "negative": ("angry", "disgusted", "fearful", "sad"),
    "neutral": ("neutral",),
}
CLUSTER_VALUES = ("clips", *PARTS)
MOMENTS = tuple(
    f"{first}_{second}" for i, first in enumerate(CLUSTER_VALUES) for second in CLUSTER_VALUES[i:]
)  # sums of products over clusters: clips_clips, clips_positive … neutral_neutral
COUNTED = (
    "clips",
    "alerts",
    "speech_ms",
    *(f"sum_{name}" for name in EMOTIONS),
    *(f"weighted_{name}" for name in EMOTIONS),
    *(f"dominant_{name}" for name in EMOTIONS),
)  # what a row adds up over its clips
VALUES = (*COUNTED, "sessions", *MOMENTS)
KEY = ("calibration_id", "span_days", "role", "first_day", "agent_id")
CLUSTER_KEY = ("calibration_id", "session_id", "day", "role", "agent_id")

# They refer to nothing, because they are derived: whoever changes clips changes them in the same
# transaction (`store.rollups`), and they can be made again from the rows at any time.
rollups = Table(
    "rollups",
    Base.metadata,
    Column("calibration_id", BigInteger, primary_key=True, autoincrement=False),
    Column("span_days", Integer, primary_key=True, autoincrement=False),
    Column("role", String(20), primary_key=True),
    Column("first_day", Date, primary_key=True),
    Column("agent_id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in VALUES),
    sqlite_with_rowid=False,  # so that the rows of a time lie together
)

# A cluster is what one session has on one day, in one role, of one agent.
clusters = Table(
    "rollup_clusters",
    Base.metadata,
    Column("calibration_id", BigInteger, primary_key=True, autoincrement=False),
    Column("session_id", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("agent_id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in CLUSTER_VALUES),
    sqlite_with_rowid=False,
)


class RollupState(Base):
    """The one row that says what the roll-ups hold: days of `time_zone`, clips up to `built_to`.

    `built_to` is None once they hold everything; until then a rebuild goes on after that clip.
    """

    __tablename__ = "rollup_state"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time_zone: Mapped[str] = mapped_column(Text)
    built_to: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)


class AlertRule(Base):
    """One version of a rule, as data. A version never changes; of a name at most one is active."""

    __tablename__ = "alert_rules"
    id: Mapped[Id]
    name: Mapped[Name]
    version: Mapped[int]
    data: Mapped[Json]
    active: Mapped[bool]
    created_at: Mapped[Time]
    created_by: Mapped[Name]

    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("version > 0", name="version"),
        {"sqlite_autoincrement": True},
    )


class Alert(Base):
    """A rule's finding in one analysis: the value that was over (or under) the threshold, and what became of it.

    `position` counts the findings of one rule in one analysis; `start_s` and `end_s` are set for one
    that was found in windows. `clip_id` and `happened_at` repeat the clip's.
    """

    __tablename__ = "alerts"
    id: Mapped[Id]
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id, ondelete="CASCADE"))
    rule_id: Mapped[int] = mapped_column(ForeignKey(AlertRule.id, ondelete="RESTRICT"))
    position: Mapped[int]
    clip_id: Mapped[int] = mapped_column(ForeignKey(Clip.id, ondelete="CASCADE"), index=True)
    happened_at: Mapped[Time]
    severity: Mapped[Word]
    value: Mapped[Number]
    threshold: Mapped[Number]
    start_s: Mapped[Number | None]
    end_s: Mapped[Number | None]
    state: Mapped[Word]
    assignee: Mapped[Name | None]
    created_at: Mapped[Time]
    changed_at: Mapped[Time]

    __table_args__ = (
        UniqueConstraint("analysis_id", "rule_id", "position"),
        Index(None, "state", "happened_at", "id"),
        Index(None, "state", "severity"),
        Index(None, "happened_at", "id"),
        Index(None, "rule_id", "state"),
        one_of("severity", SEVERITIES),
        one_of("state", ALERT_STATES),
        CheckConstraint("(start_s IS NULL) = (end_s IS NULL)", name="moment_whole"),
        CheckConstraint("position >= 0", name="position"),
        {"sqlite_autoincrement": True},
    )


class AlertEvent(Base):
    """What somebody did with an alert: a state or an assignee given, a comment written."""

    __tablename__ = "alert_events"
    id: Mapped[Id]
    alert_id: Mapped[int] = mapped_column(ForeignKey(Alert.id, ondelete="CASCADE"), index=True)
    happened_at: Mapped[Time]
    user: Mapped[Name] = mapped_column("user_name")
    state: Mapped[Word | None]
    assignee: Mapped[Name | None]
    comment: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (one_of("state", ALERT_STATES),)


class ScoringProfile(Base):
    """One version of a way to turn scores into a quality score, as data. A version never changes."""

    __tablename__ = "scoring_profiles"
    id: Mapped[Id]
    name: Mapped[Name]
    version: Mapped[int]
    data: Mapped[Json]
    created_at: Mapped[Time]
    created_by: Mapped[Name]

    __table_args__ = (UniqueConstraint("name", "version"), CheckConstraint("version > 0", name="version"))


class LabelGroup(Base):
    """One version of a group of emotions, as data. A version never changes, and of a name at most one is active.

    A forgotten group has none; its versions stay, so that a name and a number never mean two things.
    """

    __tablename__ = "label_groups"
    id: Mapped[Id]
    name: Mapped[Name]
    version: Mapped[int]
    data: Mapped[Json]
    active: Mapped[bool]
    created_at: Mapped[Time]
    created_by: Mapped[Name]

    __table_args__ = (UniqueConstraint("name", "version"), CheckConstraint("version > 0", name="version"))


class TargetProfile(Base):
    """Nine scores to compare with, by the names of the emotions."""

    __tablename__ = "target_profiles"
    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)
    scores: Mapped[Json]
    created_at: Mapped[Time]
    created_by: Mapped[Name]
