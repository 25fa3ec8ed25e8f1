"""A hundred thousand clips in a few seconds: rows that the database itself counts up, without a meaning."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text

from emostore.emotions import EMOTIONS
from emostore.store.session import Store
from emostore.store.tables.models import Base
from emostore.store.tables.report_models import EVERYBODY, VALUES

CLIPS = 100_000
AGENTS = 200
FIRST = datetime(2026, 1, 1, tzinfo=UTC)  # and then a clip every five minutes
ROLES = (
    "CASE i % 20 WHEN 0 THEN 'mixed' WHEN 1 THEN 'unknown' ELSE CASE i % 2 WHEN 0 THEN 'agent' ELSE 'customer' END END"
)
DOMINANT = "CASE WHEN i % 100 < 60 THEN 'neutral' WHEN i % 100 < 99 THEN 'happy' ELSE 'disgusted' END"


def fill(store: Store) -> None:
    """Agents in teams, clips with scores, some alerts and roll-ups of every agent and day."""
    lite = store.engine.name == "sqlite"
    sha = "printf('%064d', i)" if lite else "lpad(i::text, 64, '0')"
    moment = (
        "strftime('%Y-%m-%d %H:%M:%f000', '2026-01-01', '+' || (5 * i) || ' minutes')"
        if lite
        else "timestamptz '2026-01-01 00:00Z' + i * interval '5 minutes'"
    )
    logits = "zeroblob(36)" if lite else "decode(repeat('00', 36), 'hex')"
    day = "date('2026-01-01', '+' || (i / 200) || ' days')" if lite else "date '2026-01-01' + i / 200"
    angry, sad = ("(i * 7 % 1000) / 2500.0", "(i * 13 % 1000) / 2500.0")
    shares = dict.fromkeys(EMOTIONS, "0") | {"angry": angry, "sad": sad, "neutral": f"1 - {angry} - {sad}"}
    with store.transaction() as session:
        connection = session.connection()

        def run(sql: str) -> None:
            connection.exec_driver_sql(sql if lite else sql.replace("%", "%%"))

        run("INSERT INTO teams (id, name) SELECT i, 'Team ' || i FROM (" + numbers(10) + ") n")
        run(f"INSERT INTO agents (id, name, team_id) SELECT i, 'Agent ' || i, 1 + i % 10 FROM ({numbers(AGENTS)}) n")
        run(
            "INSERT INTO model_revisions (id, name, revision, dim, classes, licence, first_seen_at)"
            f" SELECT 1, 'm', '1', 1, '[]', '', {moment} FROM ({numbers(1)}) n"
        )
        run(
            "INSERT INTO calibrations (id, model_revision_id, version, name, parameters, created_at)"
            f" SELECT 1, 1, 1, 'raw', '{{}}', {moment} FROM ({numbers(1)}) n"
        )
        run("INSERT INTO active_calibrations (model_revision_id, calibration_id) VALUES (1, 1)")
        run(
            "INSERT INTO alert_rules (id, name, version, data, active, created_at, created_by)"
            f" SELECT 1, 'r', 1, '{{}}', {'1' if lite else 'true'}, {moment}, '' FROM ({numbers(1)}) n"
        )
        for table, columns in {
            "recording_sessions": {"id": "i", "key": "'recording:' || i", "name": "'s' || i", "created_at": moment},
            "recordings": {
                "id": "i",
                "sha256": sha,
                "file_name": "'f' || i",
                "byte_count": "1",
                "duration_s": "1",
                "sample_rate": "8000",
                "channel_count": "1",
                "container": "'wav'",
                "codec": "'pcm'",
                "uploaded_at": moment,
                "happened_at": moment,
                "happened_at_source": "'given'",
                "notes": "'[]'",
            },
            "clips": {
                "id": "i",
                "recording_id": "i",
                "channel": "0",
                "role": ROLES,
                "session_id": "i",
                "agent_id": f"1 + i % {AGENTS}",
                "happened_at": moment,
                "duration_s": "1",
                "speech_s": "i % 7",
            },
            "analyses": {
                "id": "i",
                "clip_id": "i",
                "model_revision_id": "1",
                "granularity": "'utterance'",
                "status": "'analysed'",
                "logits": logits,
                "analysed_at": moment,
            },
            "scores": {
                "analysis_id": "i",
                "calibration_id": "1",
                **shares,
                "dominant": DOMINANT,
                "confidence": "0.5",
                "entropy": "0.5",
                "clip_id": "i",
                "happened_at": moment,
            },
        }.items():
            names, values = ", ".join(columns), ", ".join(columns.values())
            run(f"INSERT INTO {table} ({names}) SELECT {values} FROM ({numbers(CLIPS)}) n")
        run(
            "INSERT INTO alerts (analysis_id, rule_id, position, clip_id, happened_at, severity, value, threshold,"
            f" state, created_at, changed_at) SELECT i, 1, 0, i, {moment}, 'high', 0.7, 0.6,"
            f" CASE WHEN i % 1000 = 0 THEN 'open' ELSE 'resolved' END, {moment}, {moment}"
            f" FROM ({numbers(CLIPS)}) n WHERE i % 20 = 0"
        )
        ones = ", ".join("1" for _ in VALUES)
        for span in (1, 7, 28):
            for who in (f"1 + i % {AGENTS}", str(EVERYBODY)):
                run(
                    f"INSERT INTO rollups SELECT 1, {span}, 'customer', {day}, {who}, {ones} FROM ({numbers(73_000)}) n"
                    f" WHERE (i / {AGENTS}) % {span} = 4 % {span} AND ({who} > 0 OR i % {AGENTS} = 0)"
                )
    with store.transaction() as session:
        if not lite:
            for table in Base.metadata.sorted_tables:
                if "id" in table.c and table.autoincrement_column is not None:
                    session.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {CLIPS + 1})"))
            session.execute(text("ANALYZE"))  # as it does by itself sooner or later; SQLite does not


def numbers(count: int) -> str:
    """A query for the numbers from 1 to `count`, as `i`."""
    steps = f"SELECT 1 AS i UNION ALL SELECT i + 1 FROM number WHERE i < {count}"
    return f"WITH RECURSIVE number AS ({steps}) SELECT i FROM number"
