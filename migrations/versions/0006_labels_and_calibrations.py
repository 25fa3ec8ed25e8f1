"""What raters hear in clips; calibrations know what they were fitted on and how far they are scored

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 14:50:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EMOTIONS = "'angry', 'disgusted', 'fearful', 'happy', 'neutral', 'other', 'sad', 'surprised', 'unknown'"
# Each with its constraint in one statement, so that SQLite need not rebuild the table.
STATE = (
    "ALTER TABLE calibrations ADD COLUMN state VARCHAR(20) DEFAULT 'complete' NOT NULL"
    " CONSTRAINT ck_calibrations_state CHECK (state IN ('ready', 'scoring', 'settling', 'complete'))"
)


def upgrade() -> None:
    op.add_column("calibrations", sa.Column("created_by", sa.String(length=200), nullable=True))
    op.add_column("calibrations", sa.Column("fitted_on", sa.JSON(), nullable=True))
    op.add_column("calibrations", sa.Column("metrics", sa.JSON(), nullable=True))
    op.execute(STATE)
    op.add_column("calibrations", sa.Column("scored_to", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "model_heads",
        sa.Column("model_revision_id", BIG_ID, nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_revision_id"],
            ["model_revisions.id"],
            name=op.f("fk_model_heads_model_revision_id_model_revisions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_revision_id", name=op.f("pk_model_heads")),
    )
    op.create_table(
        "labels",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("clip_id", BIG_ID, nullable=False),
        sa.Column("rater", sa.String(length=200), nullable=False),
        sa.Column("emotion", sa.String(length=20), nullable=False),
        sa.Column("second", sa.String(length=20), nullable=True),
        sa.Column("intensity", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("labelled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"emotion IN ({EMOTIONS}, 'cannot_tell')", name=op.f("ck_labels_emotion")),
        sa.CheckConstraint(f"second IN ({EMOTIONS})", name=op.f("ck_labels_second")),
        sa.CheckConstraint(
            "second IS NULL OR (second <> emotion AND emotion <> 'cannot_tell')", name=op.f("ck_labels_second_beside")
        ),
        sa.CheckConstraint("intensity BETWEEN 1 AND 5", name=op.f("ck_labels_intensity")),
        sa.CheckConstraint(
            "reason IN ('chosen', 'uncertain', 'disagreeing', 'random', 'imported')", name=op.f("ck_labels_reason")
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name=op.f("fk_labels_clip_id_clips"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("clip_id", "rater", name=op.f("uq_labels_clip_id_rater")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_labels_rater_labelled_at"), "labels", ["rater", "labelled_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_labels_rater_labelled_at"), "labels")
    op.drop_table("labels")
    op.drop_table("model_heads")
    # Which scores are read is decided by later versions of the program alone.
    op.execute(
        "UPDATE active_calibrations SET calibration_id = (SELECT calibrations.id FROM calibrations"
        " WHERE calibrations.model_revision_id = active_calibrations.model_revision_id AND calibrations.version = 1)"
    )
    op.drop_column("calibrations", "scored_to")
    op.execute("ALTER TABLE calibrations DROP COLUMN state")
    op.drop_column("calibrations", "metrics")
    op.drop_column("calibrations", "fitted_on")
    op.drop_column("calibrations", "created_by")
