"""Backups: everything comes back as it was, on either database, also while others write; or nothing does."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emostore import access
from emostore.config import Settings
from emostore.errors import AccessError, StoreError
from emostore.services import deleting, editing, groups, preferences
from emostore.services.backups import backup
from emostore.services.sound import media
from emostore.store import audit, dump, migrate
from emostore.store.alerts import alert_rules, alerts
from emostore.store.reports import history, reports
from emostore.store.rollups import rollup_build
from emostore.store.session import Store, create_store
from emostore.store.writing import clips, edits
from tests.conftest import Postgres
from tests.store import rollup_oracle
from tests.store.samples import OTHER_MODEL, analysis, recording, sha

Make = Callable[[str], Store]

# What version 0002 did not have yet.
LATER_TABLES = (
    "audit_events",
    "preferences",
    "alert_rules",
    "alerts",
    "alert_events",
    "scoring_profiles",
    "target_profiles",
    "clip_speech",
    "clip_pairs",
    "labels",
    "model_heads",
    "label_groups",
)
LATER_COLUMNS = {
    "recordings": ("media_kind", "scenario", "domain", "language", "demo"),
    "agents": ("demo",),
    "clips": ("starts_s",),
    "scores": ("clip_id", "happened_at"),
    "calibrations": ("created_by", "fitted_on", "metrics", "state", "scored_to"),
}


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes an empty migrated store of a kind."""
    opened: list[Store] = []
    urls: list[str] = []

    def one(kind: str) -> Store:
        if kind == "sqlite":
            path = tmp_path / f"store{len(opened)}.db"
            shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
            url = f"sqlite:///{path}"
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            url = postgres.create(template=request.getfixturevalue("postgres_template"))
            urls.append(url)
        opened.append(create_store(url))
        return opened[-1]

    yield one
    for store in opened:
        store.close()
    for url in urls:
        request.getfixturevalue("postgres").drop(url)


@pytest.fixture
def other(tmp_path: Path) -> Settings:
    """The settings of the place that a backup is restored to."""
    return Settings(data_dir=tmp_path / "other")


def fill(store: Store, config: Settings) -> None:
    """A bit of everything, with two kept files and one that was lost."""
    for name in ("a", "b", "lost"):
        source = config.data_dir / "upload"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(name.encode() * 3_000_000 if name == "a" else b"x")
        kept = media.keep(source, sha(name), config)
        assert kept is not None
        of_file = recording(
            name,
            media_path=kept.path,
            media_kind=kept.kind,
            channel_count=1,
            scenario="teaching",
            language="zh-CN",
            notes=(clips.Note("{count} samples were clipped.", {"count": 3}),),
        )
        about: dict[str, Any] = {
            "agent": "王芳",
            "team": "North",
            "session_name": "Case 7",
            "segments": np.array([[0.1, 1 / 3]]),
        }
        clips.save(store, analysis(name, recording=of_file, **about), "Ana")
    (config.data_dir / media.path_of(sha("lost"))).unlink()
    clips.save(store, analysis("a", model=OTHER_MODEL))
    gone = clips.save(store, analysis("quiet", outcome=clips.NoSpeech("silence")))
    editing.pair(store, 1, 2, 1.5)
    editing.rename_agent(store, "王芳", "Fang")
    deleting.delete_clips(store, config, [gone.clip_id])
    preferences.save(store, config, uncertain_below=0.25)
    groups.make(store, "Frustration", ("angry", "disgusted"))
    with edits.changing(store) as session:
        rule = alert_rules.add_version(session, "Anger", {"threshold": 0.6}, "Ana")
        newest = reports.latest_clips(store, 1).rows[0].analysis_id
        assert newest is not None
        alerts.replace(session, "Anger", {newest: [clips.NewAlert(rule, "high", 0.7, 0.6, 1.0, 4.0)]})
    with edits.changing(store) as session:
        alerts.set_state(session, [1], "false_alarm", "Ana")


def everything(store: Store) -> dict[str, list[Any]]:
    with dump.snapshot(store) as connection:
        found = {table.name: list(dump.rows(connection, table)) for table in dump.tables()}
    found["audit_events"] = [row for row in found["audit_events"] if "restored" not in row]
    return found


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members of a backup."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_everything_comes_back_as_it_was_on_either_database(
    make: Make, config: Settings, other: Settings, tmp_path: Path, source: str, target: str
) -> None:
    before, after = make(source), make(target)
    fill(before, config)
    file = tmp_path / "backup.zip"
    written = backup.backup(before, config, file)
    assert (written.rows["clips"], written.audio_files, written.missing) == (3, 2, 1)
    assert backup.restore(after, other, file) == written
    assert everything(after) == everything(before)
    assert rollup_build.status(after).ready
    assert rollup_oracle.stored(after) == rollup_oracle.stored(before) == rollup_oracle.recomputed(before)
    assert {p.relative_to(other.data_dir): p.read_bytes() for p in media.kept_files(other.data_dir)} == {
        p.relative_to(config.data_dir): p.read_bytes() for p in media.kept_files(config.data_dir)
    }
    event = audit.page(after).rows[0]
    assert (event.action, event.object_type) == ("restored", "database")
    # Ids go on where they were, so that a link to a deleted clip leads nowhere.
    next_ids = [clips.save(store, analysis("new")).clip_id for store in (before, after)]
    assert next_ids[0] == next_ids[1] == 5
    assert migrate.check(after).up_to_date


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_is_one_moment_of_a_store_that_others_write_to(
    make: Make, config: Settings, other: Settings, tmp_path: Path, kind: str
) -> None:
    store, restored = make(kind), make("sqlite")
    clips.save_many(store, [analysis(number, session_name="All") for number in range(100)])
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            clips.save(store, analysis(f"later {number}", agent=f"Agent {number}", session_name="All"))
            number += 1
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        written = backup.backup(store, config, tmp_path / "backup.zip")
    finally:
        stop.set()
        writer.join()
    rows = written.rows
    assert 100 < rows["clips"] <= reports.count_clips(store)
    assert rows["clips"] == rows["recordings"] == rows["analyses"] == rows["scores"] == rows["embeddings"]
    assert rows["agents"] == rows["clips"] - 100
    backup.restore(restored, other, tmp_path / "backup.zip")  # foreign keys hold
    assert reports.count_clips(restored) == rows["clips"]


def test_a_backup_of_an_earlier_version_is_brought_to_this_one(
    make: Make, config: Settings, other: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    source = make("sqlite")
    fill(source, config)
    backup.backup(source, config, file)

    def age(members: dict[str, bytes]) -> None:
        """As version 0002 wrote it: without the columns and tables that came later."""
        manifest = json.loads(members["manifest.json"])
        manifest["revision"] = "0002"
        manifest["tables"] = [each for each in manifest["tables"] if each["table"] not in LATER_TABLES]
        for table, later in LATER_COLUMNS.items():
            (member,) = (each for each in manifest["tables"] if each["table"] == table)
            kept = [index for index, name in enumerate(member["columns"]) if name not in later]
            rows = [json.loads(line) for line in members[f"tables/{table}.jsonl"].splitlines()]
            data = b"".join(json.dumps([row[index] for index in kept]).encode() + b"\n" for row in rows)
            members[f"tables/{table}.jsonl"] = data
            columns = [member["columns"][index] for index in kept]
            member |= {"columns": columns, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        members["manifest.json"] = json.dumps(manifest).encode()

    rewrite(file, age)
    store = make("sqlite")
    backup.restore(store, other, file)
    assert migrate.check(store).up_to_date
    view = reports.clip_view(store, 1)
    assert view is not None
    assert (view.media_kind, view.scenario, view.agent) == ("original", None, "Fang")
    emotion = history.search(store, history.HistoryFilter(emotion="happy"))
    assert emotion.count == 3
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_with_anything_in_it_is_not_written_over(
    make: Make, config: Settings, other: Settings, tmp_path: Path, kind: str
) -> None:
    source, busy = make("sqlite"), make(kind)
    fill(source, config)
    backup.backup(source, config, tmp_path / "backup.zip")
    clips.save(busy, analysis("mine"))
    before = everything(busy)
    with pytest.raises(StoreError, match=r"is not empty: there are rows in .* A backup is restored into an empty"):
        backup.restore(busy, other, tmp_path / "backup.zip")
    assert everything(busy) == before
    assert list(media.kept_files(other.data_dir)) == []


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def with_manifest(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **changes}).encode()

    return change


def escape(members: dict[str, bytes]) -> None:
    """Audio whose name leads out of the folder, with a right hash."""
    members["../../evil"] = b"evil"
    line = json.dumps({"name": "../../evil", "bytes": 4, "sha256": hashlib.sha256(b"evil").hexdigest()})
    data = line.encode() + b"\n"
    members["audio.jsonl"] = data
    manifest = json.loads(members["manifest.json"])
    manifest["audio"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    members["manifest.json"] = json.dumps(manifest).encode()


def change_of(name: str, how: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({name: how(members[name])})


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (change_of("tables/clips.jsonl", flip), "is damaged"),
        (change_of("tables/scores.jsonl", lambda data: data[: len(data) // 2]), "is damaged"),
        (change_of("tables/agents.jsonl", lambda data: data + data), "is damaged"),
        (change_of(f"audio/{sha('a')[:2]}/{sha('a')}", flip), "is damaged"),
        (change_of("audio.jsonl", flip), "is damaged"),
        (lambda members: members.pop("tables/analyses.jsonl"), "is damaged"),
        (escape, "is damaged"),
        (lambda members: members.pop("manifest.json"), "is not a backup"),
        (change_of("manifest.json", lambda data: b"{}"), "is not a backup"),
        (with_manifest(version=2), "is not a backup"),
        (with_manifest(revision="9999"), "written by a newer version"),
        (with_manifest(audio_bytes=10**18), "Free some space"),
        (with_manifest(audio_bytes=1), "is damaged"),
    ],
)
def test_a_backup_that_is_not_as_it_was_written_is_refused_whole(
    make: Make,
    config: Settings,
    other: Settings,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], object],
    part: str,
) -> None:
    file = tmp_path / "backup.zip"
    source, target = make("sqlite"), make("sqlite")
    fill(source, config)
    backup.backup(source, config, file)
    rewrite(file, change)  # type: ignore[arg-type]
    empty = everything(target)
    with pytest.raises(StoreError, match=part):
        backup.restore(target, other, file)
    assert everything(target) == empty
    assert list(media.kept_files(other.data_dir)) == []
    assert not list(tmp_path.rglob("evil"))
    assert migrate.check(target).up_to_date


@pytest.mark.parametrize("content", [b"", b"These are my notes.", b"PK\x03\x04 and no more"])
def test_another_kind_of_file_is_no_backup(make: Make, other: Settings, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.zip").write_bytes(content)
    with pytest.raises(StoreError, match=r"notes\.zip is not a backup"):
        backup.restore(make("sqlite"), other, tmp_path / "notes.zip")


def test_a_file_that_is_there_is_not_written_over_and_a_failure_leaves_nothing(
    make: Make, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make("sqlite")
    file = tmp_path / "backups" / "backup.zip"
    with pytest.raises(StoreError, match="could not be written"):
        backup.backup(store, config, file)
    file.parent.mkdir()
    backup.backup(store, config, file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is there already"):
        backup.backup(store, config, file)
    assert file.read_bytes() == before

    def fail(*_: object) -> list[Any]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dump, "rows", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        backup.backup(store, config, file.with_name("second.zip"))
    assert list(file.parent.iterdir()) == [file]


def test_without_the_right_nothing_is_written_or_read(
    make: Make, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "administer")
    for action in (backup.backup, backup.restore):
        with pytest.raises(AccessError):
            action(make("sqlite"), config, tmp_path / "backup.zip")
    assert not (tmp_path / "backup.zip").exists()
