"""What is chosen in the settings, what the environment decides, and how much room things take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emostore import access
from emostore.config import Settings
from emostore.errors import AccessError, SettingsError
from emostore.services import preferences, storage
from emostore.services.analysis import Analyser, Source
from emostore.services.metadata.descriptions import Description
from emostore.services.preferences import Preferences
from emostore.store import audit
from emostore.store import preferences as stored
from emostore.store.session import Store
from tests.services.conftest import LoudnessModel

Tone = Callable[..., Path]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EMOSTORE_{name.upper()}", raising=False)
    return Settings(data_dir=tmp_path / "data")


def test_what_nobody_chose_is_the_default(store: Store, config: Settings) -> None:
    assert preferences.load(store, config) == Preferences()


def test_what_is_chosen_holds_and_is_written_down_once(store: Store, config: Settings) -> None:
    for _ in range(2):
        chosen = preferences.save(store, config, time_zone="Asia/Shanghai", keep_audio="opus", uncertain_below=0.5)
        assert chosen == Preferences(time_zone="Asia/Shanghai", keep_audio="opus", uncertain_below=0.5)
    in_force = preferences.effective(store, config)
    assert (in_force.time_zone, in_force.keep_audio, in_force.data_dir) == ("Asia/Shanghai", "opus", config.data_dir)
    assert preferences.load(store, in_force).fixed == frozenset()
    (event,) = audit.page(store).rows
    assert event.details["keep_audio"] == {"from": None, "to": "opus"}


def test_the_environment_decides_and_says_so(store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    preferences.save(store, config, language="en", model="baseline")
    monkeypatch.setenv("EMOSTORE_LANGUAGE", "zh")
    fixed = Settings(data_dir=config.data_dir)
    found = preferences.load(store, fixed)
    assert (found.language, found.model, found.fixed) == ("zh", "baseline", {"language"})
    assert preferences.effective(store, fixed).language == "zh"
    with pytest.raises(SettingsError, match="EMOSTORE_LANGUAGE is set in the environment"):
        preferences.save(store, fixed, model="auto", language="en")
    assert preferences.load(store, fixed).model == "baseline"


@pytest.mark.parametrize(
    ("name", "value"),
    [("language", "fr"), ("time_zone", "Mars/Olympus"), ("keep_audio", "vinyl"), ("uncertain_below", 1.5)],
)
def test_a_value_that_is_not_allowed_is_refused_and_one_already_stored_is_left_out(
    store: Store, config: Settings, name: str, value: object
) -> None:
    with pytest.raises(SettingsError, match="is not"):
        preferences.save(store, config, **{name: value})
    with store.transaction() as session:
        stored.write(session, {name: value})
    assert preferences.load(store, config) == Preferences()


def test_what_was_said_of_an_upload_is_offered_for_the_next_but_not_its_time_and_session(
    store: Store, config: Settings
) -> None:
    said = Description(
        agent="Ann",
        team="North",
        session="Case 7",
        happened_at=datetime.now(UTC),
        roles=("agent", "customer"),
        scenario="business",
        domain="phone",
        language="zh",
    )
    preferences.remember_upload(store, said)
    assert preferences.load(store, config).upload == Description(
        agent="Ann", team="North", roles=("agent", "customer"), scenario="business", domain="phone", language="zh"
    )
    with store.transaction() as session:
        stored.write(session, {"upload": {"unheard": "of"}})
    assert preferences.load(store, config).upload == Description()


def test_without_the_right_nothing_is_chosen(store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "administer")
    with pytest.raises(AccessError):
        preferences.save(store, config, language="zh")


@pytest.mark.usefixtures("talkative")
def test_the_room_that_is_used_is_told_by_what_it_is_for(store: Store, config: Settings, tone: Tone) -> None:
    empty = storage.used(store, config)
    assert (empty.audio_bytes, empty.staged_bytes, empty.models_bytes, empty.clips) == (0, 0, 0, 0)
    path = tone("a.wav", 0.5, 0.6)
    list(Analyser(store, config, LoudnessModel()).analyse([Source(path, "a.wav")], Description()))
    (config.data_dir / "staged").mkdir()
    (config.data_dir / "staged/x").write_bytes(b"12345")
    for place in ("models/large", "cache/models"):  # a checkpoint, and what the engine made of it
        (config.data_dir / place).mkdir(parents=True)
        (config.data_dir / place / "weights").write_bytes(b"1234567")
    (outline,) = (config.data_dir / "cache").rglob("*.npz")
    found = storage.used(store, config)
    audio_bytes = path.stat().st_size + outline.stat().st_size
    assert (found.audio_bytes, found.staged_bytes, found.models_bytes) == (audio_bytes, 5, 14)
    assert (found.recordings, found.clips) == (1, 2)
    assert found.database_bytes > 0
    assert found.free_bytes > 0
