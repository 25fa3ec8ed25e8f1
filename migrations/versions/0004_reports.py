"""Roll-ups, alerts and their rules, profiles; scores know their clip and its time; what a demo invented is marked

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 11:40:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up by itself only in INTEGER

EMOTIONS = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")
PARTS = ("clips", "positive", "negative", "neutral")
MOMENTS = [f"{first}_{second}" for i, first in enumerate(PARTS) for second in PARTS[i:]]
SUMS = [f"{kind}_{name}" for kind in ("sum", "weighted", "dominant") for name in EMOTIONS]
VALUES = ("clips", "alerts", "speech_ms", *SUMS, "sessions", *MOMENTS)
RARE = {
    "ix_recording_sessions_named": ("recording_sessions", "id", "key LIKE 'name:%'"),
    "ix_analyses_no_speech": ("analyses", "clip_id", "status = 'no_speech'"),
}
STATES = "state IN ('open', 'acknowledged', 'resolved', 'false_alarm')"


def upgrade() -> None:
    for table in ("agents", "recordings"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("demo", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(op.f("ix_clips_role_happened_at_id"), "clips", ["role", "happened_at", "id"])
    for name, (table, column, condition) in RARE.items():
        where = sa.text(condition)
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
    _let_scores_know_their_clip()
    _create_rollups()
    _create_alerts()
    _create_profiles()


def downgrade() -> None:
    for table in (
        "target_profiles",
        "scoring_profiles",
        "alert_events",
        "alerts",
        "alert_rules",
        "rollup_state",
        "rollup_clusters",
        "rollups",
    ):
        op.drop_table(table)
    for name in EMOTIONS:
        op.drop_index(f"ix_scores_high_{name}", "scores")
    op.drop_index("ix_scores_by_time", "scores")
    op.drop_index(op.f("ix_scores_calibration_id_dominant_happened_at_clip_id"), "scores")
    with op.batch_alter_table("scores") as batch:
        batch.drop_column("happened_at")
        batch.drop_column("clip_id")
    op.create_index(op.f("ix_scores_calibration_id_dominant"), "scores", ["calibration_id", "dominant"])
    for name, (table, _column, _condition) in RARE.items():
        op.drop_index(name, table)
    op.drop_index(op.f("ix_clips_role_happened_at_id"), "clips")
    for table in ("recordings", "agents"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("demo")


def _let_scores_know_their_clip() -> None:
    op.drop_index(op.f("ix_scores_calibration_id_dominant"), "scores")
    with op.batch_alter_table("scores") as batch:
        batch.add_column(sa.Column("clip_id", BIG_ID, nullable=True))
        batch.add_column(sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE scores SET clip_id = (SELECT clip_id FROM analyses WHERE analyses.id = scores.analysis_id)")
    op.execute("UPDATE scores SET happened_at = (SELECT happened_at FROM clips WHERE clips.id = scores.clip_id)")
    with op.batch_alter_table("scores") as batch:
        batch.alter_column("clip_id", existing_type=BIG_ID, nullable=False)
        batch.alter_column("happened_at", existing_type=sa.DateTime(timezone=True), nullable=False)
    op.create_index(
        op.f("ix_scores_calibration_id_dominant_happened_at_clip_id"),
        "scores",
        ["calibration_id", "dominant", "happened_at", "clip_id"],
    )
    every = ["calibration_id", "happened_at", "clip_id", "dominant", *EMOTIONS]
    op.create_index("ix_scores_by_time", "scores", every)
    for name in EMOTIONS:
        where = sa.text(f"{name} >= 0.2")
        columns = ["calibration_id", name, "happened_at", "clip_id"]
        op.create_index(f"ix_scores_high_{name}", "scores", columns, sqlite_where=where, postgresql_where=where)


def _create_rollups() -> None:
    op.create_table(
        "rollups",
        sa.Column("calibration_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("span_days", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in VALUES),
        sa.PrimaryKeyConstraint(
            "calibration_id", "span_days", "role", "first_day", "agent_id", name=op.f("pk_rollups")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_clusters",
        sa.Column("calibration_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in PARTS),
        sa.PrimaryKeyConstraint(
            "calibration_id", "session_id", "day", "role", "agent_id", name=op.f("pk_rollup_clusters")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("built_to", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_rollup_state_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_state")),
    )
    # What was scored before this revision waits for a rebuild; without any, the empty roll-ups hold everything.
    op.execute(
        "INSERT INTO rollup_state (id, time_zone, built_to)"
        " SELECT 1, 'UTC', CASE WHEN EXISTS (SELECT 1 FROM scores) THEN 0 END"
    )


def _create_alerts() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_alert_rules_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_alert_rules_name_version")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alerts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("analysis_id", BIG_ID, nullable=False),
        sa.Column("rule_id", BIG_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("clip_id", BIG_ID, nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=True),
        sa.Column("end_s", sa.Double(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("assignee", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("severity IN ('low', 'medium', 'high')", name=op.f("ck_alerts_severity")),
        sa.CheckConstraint(STATES, name=op.f("ck_alerts_state")),
        sa.CheckConstraint("(start_s IS NULL) = (end_s IS NULL)", name=op.f("ck_alerts_moment_whole")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_alerts_position")),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analyses.id"], name=op.f("fk_alerts_analysis_id_analyses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name=op.f("fk_alerts_clip_id_clips"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["alert_rules.id"], name=op.f("fk_alerts_rule_id_alert_rules"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("analysis_id", "rule_id", "position", name=op.f("uq_alerts_analysis_id_rule_id_position")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_alerts_clip_id"), "alerts", ["clip_id"])
    op.create_index(op.f("ix_alerts_happened_at_id"), "alerts", ["happened_at", "id"])
    op.create_index(op.f("ix_alerts_rule_id_state"), "alerts", ["rule_id", "state"])
    op.create_index(op.f("ix_alerts_state_happened_at_id"), "alerts", ["state", "happened_at", "id"])
    op.create_index(op.f("ix_alerts_state_severity"), "alerts", ["state", "severity"])
    op.create_table(
        "alert_events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("alert_id", BIG_ID, nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("assignee", sa.String(length=200), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.CheckConstraint(STATES, name=op.f("ck_alert_events_state")),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_events_alert_id_alerts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_events")),
    )
    op.create_index(op.f("ix_alert_events_alert_id"), "alert_events", ["alert_id"])


def _create_profiles() -> None:
    op.create_table(
        "scoring_profiles",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_scoring_profiles_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scoring_profiles")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_scoring_profiles_name_version")),
    )
    op.create_table(
        "target_profiles",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target_profiles")),
        sa.UniqueConstraint("name", name=op.f("uq_target_profiles_name")),
    )
