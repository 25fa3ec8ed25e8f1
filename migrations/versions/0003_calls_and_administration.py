"""What a call is, who did what, and what was chosen in the settings

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23 08:30:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up by itself only in INTEGER


OLD_SOURCES = "happened_at_source IN ('given', 'metadata', 'upload')"
NEW_SOURCES = "happened_at_source IN ('given', 'name', 'metadata', 'upload')"
NEW_CHECKS = {
    "domain": "domain IN ('phone', 'headset', 'room')",
    "media_kind": "media_kind IN ('original', 'opus')",
    "media_whole": "media_kind IS NULL OR media_path IS NOT NULL",
    "scenario": "scenario IN ('customer_service', 'teaching', 'business', 'general')",
}


def upgrade() -> None:
    with op.batch_alter_table("recordings") as batch:
        batch.drop_constraint(op.f("ck_recordings_happened_at_source"), type_="check")
        batch.add_column(sa.Column("media_kind", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("scenario", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("domain", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("language", sa.String(length=35), nullable=True))
        for name, text in {**NEW_CHECKS, "happened_at_source": NEW_SOURCES}.items():
            batch.create_check_constraint(op.f(f"ck_recordings_{name}"), text)
    op.execute("UPDATE recordings SET media_kind = 'original' WHERE media_path IS NOT NULL")
    op.create_table(
        "audit_events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_name", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("object_type", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "preferences",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_preferences")),
    )


def downgrade() -> None:
    op.drop_table("preferences")
    op.drop_table("audit_events")
    # What the name of a file told was not asked for, and this version knows no other word for that.
    op.execute("UPDATE recordings SET happened_at_source = 'metadata' WHERE happened_at_source = 'name'")
    with op.batch_alter_table("recordings") as batch:
        for name in (*NEW_CHECKS, "happened_at_source"):
            batch.drop_constraint(op.f(f"ck_recordings_{name}"), type_="check")
        for column in ("language", "domain", "scenario", "media_kind"):
            batch.drop_column(column)
        batch.create_check_constraint(op.f("ck_recordings_happened_at_source"), OLD_SOURCES)
