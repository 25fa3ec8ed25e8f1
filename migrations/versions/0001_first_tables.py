"""First tables

Revision ID: 0001
Revises:
Create Date: 2026-11-23 07:47:23.211649
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC

from emostore.errors import StoreError

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up by itself only in INTEGER


def upgrade() -> None:
    _create_extension()
    op.create_table(
        "model_revisions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.String(length=200), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("dim > 0", name=op.f("ck_model_revisions_dim")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_revisions")),
        sa.UniqueConstraint("name", "revision", name=op.f("uq_model_revisions_name_revision")),
    )
    op.create_table(
        "recording_sessions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_sessions")),
        sa.UniqueConstraint("key", name=op.f("uq_recording_sessions_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "recordings",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("channel_count", sa.Integer(), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened_at_source", sa.String(length=20), nullable=False),
        sa.Column("media_path", sa.Text(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "happened_at_source IN ('given', 'metadata', 'upload')", name=op.f("ck_recordings_happened_at_source")
        ),
        sa.CheckConstraint("byte_count >= 0 AND duration_s >= 0", name=op.f("ck_recordings_size")),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_recordings_sha256")),
        sa.CheckConstraint("sample_rate > 0 AND channel_count > 0", name=op.f("ck_recordings_format")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("sha256", name=op.f("uq_recordings_sha256")),
    )
    op.create_table(
        "teams",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_teams_name")),
    )
    op.create_table(
        "agents",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("team_id", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_agents_team_id_teams"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("name", name=op.f("uq_agents_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_agents_team_id"), "agents", ["team_id"])

    op.create_table(
        "calibrations",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("model_revision_id", BIG_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_calibrations_version")),
        sa.ForeignKeyConstraint(
            ["model_revision_id"],
            ["model_revisions.id"],
            name=op.f("fk_calibrations_model_revision_id_model_revisions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
        sa.UniqueConstraint("model_revision_id", "id", name=op.f("uq_calibrations_model_revision_id_id")),
        sa.UniqueConstraint("model_revision_id", "version", name=op.f("uq_calibrations_model_revision_id_version")),
    )
    op.create_table(
        "active_calibrations",
        sa.Column(
            "model_revision_id",
            BIG_ID,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("calibration_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_revision_id", "calibration_id"],
            ["calibrations.model_revision_id", "calibrations.id"],
            name="fk_active_calibrations_calibrations",
        ),
        sa.ForeignKeyConstraint(
            ["model_revision_id"],
            ["model_revisions.id"],
            name=op.f("fk_active_calibrations_model_revision_id_model_revisions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_revision_id", name=op.f("pk_active_calibrations")),
    )
    op.create_table(
        "clips",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("recording_id", BIG_ID, nullable=False),
        sa.Column("channel", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("session_id", BIG_ID, nullable=False),
        sa.Column("agent_id", BIG_ID, nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("speech_s", sa.Double(), nullable=True),
        sa.CheckConstraint("role IN ('agent', 'customer', 'mixed', 'unknown')", name=op.f("ck_clips_role")),
        sa.CheckConstraint("channel >= 0", name=op.f("ck_clips_channel")),
        sa.CheckConstraint("duration_s >= 0 AND speech_s >= 0", name=op.f("ck_clips_length")),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_clips_agent_id_agents"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_clips_recording_id_recordings"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["recording_sessions.id"],
            name=op.f("fk_clips_session_id_recording_sessions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clips")),
        sa.UniqueConstraint("recording_id", "channel", name=op.f("uq_clips_recording_id_channel")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_clips_agent_id_happened_at_id"), "clips", ["agent_id", "happened_at", "id"])
    op.create_index(op.f("ix_clips_happened_at_id"), "clips", ["happened_at", "id"])
    op.create_index(op.f("ix_clips_session_id"), "clips", ["session_id"])

    op.create_table(
        "analyses",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("clip_id", BIG_ID, nullable=False),
        sa.Column("model_revision_id", BIG_ID, nullable=False),
        sa.Column("granularity", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("no_speech_reason", sa.String(length=20), nullable=True),
        sa.Column("logits", sa.LargeBinary(), nullable=True),
        sa.Column("window_logits", sa.LargeBinary(), nullable=True),
        sa.Column("window_count", sa.Integer(), nullable=True),
        sa.Column("window_hop_s", sa.Double(), nullable=True),
        sa.Column("window_length_s", sa.Double(), nullable=True),
        sa.Column("analysed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("compute_s", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "(status = 'analysed') = (logits IS NOT NULL)", name=op.f("ck_analyses_logits_when_analysed")
        ),
        sa.CheckConstraint(
            "(status = 'no_speech') = (no_speech_reason IS NOT NULL)", name=op.f("ck_analyses_reason_when_no_speech")
        ),
        sa.CheckConstraint("granularity IN ('utterance')", name=op.f("ck_analyses_granularity")),
        sa.CheckConstraint(
            "no_speech_reason IN ('silence', 'no_speech', 'too_short')", name=op.f("ck_analyses_no_speech_reason")
        ),
        sa.CheckConstraint("status IN ('analysed', 'no_speech')", name=op.f("ck_analyses_status")),
        sa.CheckConstraint(
            "(window_logits IS NULL) = (window_count IS NULL)"
            " AND (window_logits IS NULL) = (window_hop_s IS NULL)"
            " AND (window_logits IS NULL) = (window_length_s IS NULL)",
            name=op.f("ck_analyses_windows_whole"),
        ),
        sa.CheckConstraint("length(logits) = 36", name=op.f("ck_analyses_logits_size")),
        sa.CheckConstraint(
            "window_count > 0 AND length(window_logits) = 18 * window_count", name=op.f("ck_analyses_windows_size")
        ),
        sa.CheckConstraint("window_hop_s > 0 AND window_length_s > 0", name=op.f("ck_analyses_windows_positive")),
        sa.CheckConstraint(
            "window_logits IS NULL OR logits IS NOT NULL", name=op.f("ck_analyses_windows_when_analysed")
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name=op.f("fk_analyses_clip_id_clips"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["model_revision_id"],
            ["model_revisions.id"],
            name=op.f("fk_analyses_model_revision_id_model_revisions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analyses")),
        sa.UniqueConstraint(
            "clip_id",
            "model_revision_id",
            "granularity",
            name=op.f("uq_analyses_clip_id_model_revision_id_granularity"),
        ),
    )
    op.create_index(op.f("ix_analyses_model_revision_id"), "analyses", ["model_revision_id"])

    op.create_table(
        "embeddings",
        sa.Column("analysis_id", BIG_ID, nullable=False),
        sa.Column("vector", sa.LargeBinary().with_variant(HALFVEC(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analyses.id"], name=op.f("fk_embeddings_analysis_id_analyses"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("analysis_id", name=op.f("pk_embeddings")),
    )
    op.create_table(
        "scores",
        sa.Column("analysis_id", BIG_ID, nullable=False),
        sa.Column("calibration_id", BIG_ID, nullable=False),
        sa.Column("angry", sa.Double(), nullable=False),
        sa.Column("disgusted", sa.Double(), nullable=False),
        sa.Column("fearful", sa.Double(), nullable=False),
        sa.Column("happy", sa.Double(), nullable=False),
        sa.Column("neutral", sa.Double(), nullable=False),
        sa.Column("other", sa.Double(), nullable=False),
        sa.Column("sad", sa.Double(), nullable=False),
        sa.Column("surprised", sa.Double(), nullable=False),
        sa.Column("unknown", sa.Double(), nullable=False),
        sa.Column("dominant", sa.String(length=20), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("entropy", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "dominant IN ('angry', 'disgusted', 'fearful', 'happy', 'neutral', 'other', 'sad', 'surprised', 'unknown')",
            name=op.f("ck_scores_dominant"),
        ),
        sa.CheckConstraint("angry >= 0 AND angry <= 1", name=op.f("ck_scores_angry")),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name=op.f("ck_scores_confidence")),
        sa.CheckConstraint("disgusted >= 0 AND disgusted <= 1", name=op.f("ck_scores_disgusted")),
        sa.CheckConstraint("entropy >= 0 AND entropy <= 1", name=op.f("ck_scores_entropy")),
        sa.CheckConstraint("fearful >= 0 AND fearful <= 1", name=op.f("ck_scores_fearful")),
        sa.CheckConstraint("happy >= 0 AND happy <= 1", name=op.f("ck_scores_happy")),
        sa.CheckConstraint("neutral >= 0 AND neutral <= 1", name=op.f("ck_scores_neutral")),
        sa.CheckConstraint("other >= 0 AND other <= 1", name=op.f("ck_scores_other")),
        sa.CheckConstraint("sad >= 0 AND sad <= 1", name=op.f("ck_scores_sad")),
        sa.CheckConstraint("surprised >= 0 AND surprised <= 1", name=op.f("ck_scores_surprised")),
        sa.CheckConstraint("unknown >= 0 AND unknown <= 1", name=op.f("ck_scores_unknown")),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analyses.id"], name=op.f("fk_scores_analysis_id_analyses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["calibration_id"],
            ["calibrations.id"],
            name=op.f("fk_scores_calibration_id_calibrations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("analysis_id", "calibration_id", name=op.f("pk_scores")),
    )
    op.create_index(op.f("ix_scores_calibration_id_dominant"), "scores", ["calibration_id", "dominant"])


def downgrade() -> None:
    # The extension stays: something else in the database may use it.
    for table in (
        "scores",
        "embeddings",
        "analyses",
        "clips",
        "active_calibrations",
        "calibrations",
        "agents",
        "teams",
        "recordings",
        "recording_sessions",
        "model_revisions",
    ):
        op.drop_table(table)


def _create_extension() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    known = sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")
    if connection.scalar(known):  # then no right to create it is needed
        return
    try:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
    except sa.exc.DBAPIError as error:
        raise StoreError(
            "PostgreSQL could not add the extension pgvector to the database {database}: {problem}. Install"
            " pgvector on the server if it is not there, let an administrator run {command} in this database,"
            " then start again.",
            database=connection.engine.url.database,
            problem=str(error.orig).splitlines()[0],
            command="CREATE EXTENSION vector;",
        ) from error
