"""Changes and deletions as a user makes them: asked for the right, written down, files included."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emostore import access
from emostore.config import Settings, settings
from emostore.errors import AccessError, MetadataError
from emostore.services import deleting, editing
from emostore.services.analysis import Analyser, Source, Status
from emostore.services.metadata.descriptions import Description
from emostore.services.sound import media
from emostore.store import audit
from emostore.store.reports import history, reports
from emostore.store.session import Store
from tests.services.conftest import LoudnessModel

pytestmark = pytest.mark.usefixtures("talkative")
Tone = Callable[..., Path]


@pytest.fixture(autouse=True)
def _user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "current_user", lambda: access.User("Ana"))


def analyse(store: Store, config: Settings, *paths: Path, **about: object) -> list[int]:
    analyser = Analyser(store, config, LoudnessModel())
    sources = [Source(path, path.name) for path in paths]
    return [result.clip_id or 0 for result in analyser.analyse(sources, Description(**about))]  # type: ignore[arg-type]


def kept(config: Settings) -> list[Path]:
    return sorted(media.kept_files(config.data_dir))


def events(store: Store) -> list[tuple[str, str, str]]:
    return [(row.user, row.action, row.object_type) for row in reversed(audit.page(store).rows)]


def test_every_change_is_written_down_with_who_made_it(store: Store, config: Settings, tone: Tone) -> None:
    first, second = analyse(store, config, tone("a.wav", 0.5), tone("b.wav", 0.6), agent="Ann")
    view = reports.clip_view(store, first)
    assert view is not None
    editing.rename_agent(store, "Ann", "Anna")
    editing.set_agent(store, [second], "Bob")
    editing.merge_agents(store, "Bob", "Anna")
    editing.set_team(store, "Anna", "North")
    editing.rename_session(store, view.session_id, "Monday")
    session_id = editing.move_clips_to_session(store, [first, second], "Tuesday")
    editing.merge_sessions(store, session_id, view.session_id)
    editing.set_role(store, [first], "agent")
    editing.set_happened_at(store, view.recording_id, datetime(2026, 3, 1, tzinfo=UTC))
    editing.set_description(store, [view.recording_id], scenario="teaching", language="zh")
    assert events(store) == [
        ("Ana", "analysed", "recording"),
        ("Ana", "analysed", "recording"),
        ("Ana", "renamed", "agent"),
        ("Ana", "changed", "clip"),
        ("Ana", "merged", "agent"),
        ("Ana", "changed", "agent"),
        ("Ana", "renamed", "session"),
        ("Ana", "moved", "clip"),
        ("Ana", "merged", "session"),
        ("Ana", "changed", "clip"),
        ("Ana", "changed", "recording"),
        ("Ana", "changed", "recording"),
    ]
    rows = history.search(store).rows
    assert {(row.agent, row.team, row.session_name) for row in rows} == {("Anna", "North", "Monday")}


def test_a_refused_change_is_not_written_down(store: Store, config: Settings, tone: Tone) -> None:
    (clip,) = analyse(store, config, tone("a.wav", 0.5))
    before = events(store)
    with pytest.raises(MetadataError, match="'boss' is not allowed for role"):
        editing.set_role(store, [clip], "boss")  # type: ignore[arg-type]
    with pytest.raises(MetadataError, match="'moon' is not allowed for domain"):
        editing.set_description(store, [1], domain="moon")
    with pytest.raises(MetadataError, match="is not a language tag"):
        editing.set_description(store, [1], language="not a language")
    with pytest.raises(TypeError):
        editing.set_description(store, [1], sha256="0" * 64)
    assert events(store) == before


def test_a_recording_takes_its_audio_along_with_its_last_clip(store: Store, config: Settings, tone: Tone) -> None:
    left, right = analyse(store, config, tone("a.wav", 0.3, 0.6))
    size = kept(config)[0].stat().st_size
    assert deleting.delete_clips(store, config, [left]) == deleting.Deletion(1, 0, 0)
    assert len(kept(config)) == 1
    assert deleting.delete_clips(store, config, [right]) == deleting.Deletion(1, 1, size)
    assert kept(config) == []
    event = audit.page(store).rows[0]
    assert (event.object_id, event.details["files"], event.details["recordings"]) == (str(right), ["a.wav"], 1)


def test_sessions_and_agents_go_with_all_that_hangs_on_them(store: Store, config: Settings, tone: Tone) -> None:
    analyse(store, config, tone("a.wav", 0.3), tone("b.wav", 0.4), agent="Ann", session="Monday")
    (other,) = analyse(store, config, tone("c.wav", 0.5), agent="Bob")
    session_id = next(row.session_id for row in history.search(store).rows if row.clip_id != other)
    assert deleting.delete_session(store, config, session_id).clips == 2
    assert [row.clip_id for row in history.search(store).rows] == [other]
    assert deleting.delete_agent(store, config, "Bob", with_clips=True).recordings == 1
    assert (kept(config), history.options(store).agents) == ([], ("Ann",))


def test_what_was_deleted_can_be_uploaded_again(store: Store, config: Settings, tone: Tone) -> None:
    path = tone("a.wav", 0.5)
    (clip,) = analyse(store, config, path)
    deleting.delete_clips(store, config, [clip])
    (again,) = Analyser(store, config, LoudnessModel()).analyse([Source(path, "a.wav")], Description())
    assert again.status is Status.ANALYSED
    assert again.clip_id != clip  # a link to the old one shows nothing, not something else
    assert len(kept(config)) == 1


def test_audio_that_vanishes_between_keeping_and_saving_is_kept_again(
    store: Store, config: Settings, tone: Tone
) -> None:
    def keep_and_lose(path: Path, sha256: str, chosen: Settings) -> media.Kept | None:
        found = media.keep(path, sha256, chosen)
        if not tried:
            tried.append(found)
            kept(config)[0].unlink()
        return found

    tried: list[object] = []
    analyser = Analyser(store, config, LoudnessModel(), keep=keep_and_lose)
    list(analyser.analyse([Source(tone("a.wav", 0.5), "a.wav")], Description()))
    assert tried
    assert len(kept(config)) == 1


def test_files_that_no_recording_names_are_swept_once_they_are_old(store: Store, config: Settings, tone: Tone) -> None:
    analyse(store, config, tone("a.wav", 0.5))
    (needed,) = kept(config)
    orphan = config.data_dir / media.path_of("ab" * 32, "opus")
    half = orphan.with_name(".keep-half")
    stranger = orphan.with_name("notes.txt")
    orphan.parent.mkdir(parents=True, exist_ok=True)
    for path in (orphan, half, stranger):
        path.write_bytes(b"sound")
        os.utime(path, (0, 0))
    assert deleting.sweep_orphans(store, config) == 0
    assert deleting.sweep_orphans(store, config, older_than_s=-60) == 2
    assert kept(config) == sorted([needed, stranger])


def test_no_name_in_the_database_leads_outside_the_folder_of_kept_audio(config: Settings) -> None:
    outside = config.data_dir / "secret"
    outside.parent.mkdir(parents=True)
    outside.write_text("mine")
    for name in ("secret", "audio/../secret", "/etc/passwd", "audio/ab/" + "cd" * 32, "../x", "audio/.keep-/../../y"):
        assert media.find(name, config.data_dir) is None
        assert media.resolve(name, config.data_dir) is None


@pytest.mark.parametrize("action", ["edit", "delete", "administer"])
def test_without_the_right_nothing_changes(
    store: Store, config: Settings, tone: Tone, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    (clip,) = analyse(store, config, tone("a.wav", 0.5), agent="Ann")
    before = events(store)
    monkeypatch.setattr(access, "can", lambda asked, subject=None: asked != action)
    attempts: dict[str, list[Callable[[], object]]] = {
        "edit": [
            lambda: editing.rename_agent(store, "Ann", "Bob"),
            lambda: editing.merge_agents(store, "Ann", "Bob"),
            lambda: editing.set_team(store, "Ann", "North"),
            lambda: editing.rename_session(store, 1, "x"),
            lambda: editing.merge_sessions(store, 1, 2),
            lambda: editing.move_clips_to_session(store, [clip], "x"),
            lambda: editing.set_agent(store, [clip], None),
            lambda: editing.set_role(store, [clip], "agent"),
            lambda: editing.set_happened_at(store, 1, datetime.now(UTC)),
            lambda: editing.set_description(store, [1], domain="room"),
        ],
        "delete": [
            lambda: deleting.delete_clips(store, config, [clip]),
            lambda: deleting.delete_session(store, config, 1),
            lambda: deleting.delete_agent(store, config, "Ann", with_clips=True),
        ],
        "administer": [lambda: deleting.sweep_orphans(store, config, 0)],
    }
    for attempt in attempts[action]:
        with pytest.raises(AccessError):
            attempt()
    assert events(store) == before
    assert len(kept(config)) == 1


def test_the_user_is_called_what_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("EMOSTORE_USER_NAME", "Wei")
    settings.cache_clear()
    assert access.current_user() == access.User("Wei")
    monkeypatch.undo()
    settings.cache_clear()
    assert access.can("delete", None)
