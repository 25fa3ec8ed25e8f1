"""Where somebody speaks in a clip, when a clip begins in its call, and files that are two sides of one

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 14:05:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # With its constraint in one statement, so that SQLite need not rebuild the table, which would forget the ids
    # of deleted clips and give them again.
    kind = "DOUBLE PRECISION" if op.get_context().dialect.name == "postgresql" else "DOUBLE"
    constraint = "CONSTRAINT ck_clips_starts CHECK (starts_s >= 0)"
    op.execute(f"ALTER TABLE clips ADD COLUMN starts_s {kind} DEFAULT 0 NOT NULL {constraint}")
    op.create_table(
        "clip_speech",
        sa.Column("clip_id", BIG_ID, nullable=False),
        sa.Column("segments", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(segments) % 16 = 0", name=op.f("ck_clip_speech_segments_whole")),
        sa.CheckConstraint("length(segments) <= 8000000", name=op.f("ck_clip_speech_segments_bounded")),
        sa.ForeignKeyConstraint(
            ["clip_id"], ["clips.id"], name=op.f("fk_clip_speech_clip_id_clips"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("clip_id", name=op.f("pk_clip_speech")),
    )
    op.create_table(
        "clip_pairs",
        sa.Column("first_clip_id", BIG_ID, nullable=False),
        sa.Column("second_clip_id", BIG_ID, nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.CheckConstraint("first_clip_id <> second_clip_id", name=op.f("ck_clip_pairs_two")),
        sa.ForeignKeyConstraint(
            ["first_clip_id"], ["clips.id"], name=op.f("fk_clip_pairs_first_clip_id_clips"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["second_clip_id"], ["clips.id"], name=op.f("fk_clip_pairs_second_clip_id_clips"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("first_clip_id", name=op.f("pk_clip_pairs")),
        sa.UniqueConstraint("second_clip_id", name=op.f("uq_clip_pairs_second_clip_id")),
    )


def downgrade() -> None:
    op.drop_table("clip_pairs")
    op.drop_table("clip_speech")
    op.execute("ALTER TABLE clips DROP COLUMN starts_s")
