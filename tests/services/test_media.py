"""Keeping audio: as it came, as Opus, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emostore import audio
from emostore.config import Settings
from emostore.errors import AudioError, StoreError
from emostore.services.analysis import Analyser, Source, Status
from emostore.services.metadata.descriptions import Description
from emostore.services.sound import media, opus
from emostore.store.reports import reports
from emostore.store.session import Store
from tests.services.conftest import LoudnessModel

Tone = Callable[..., Path]
SHA = "ab" * 32


def keeping(config: Settings, mode: str) -> Settings:
    return config.model_copy(update={"keep_audio": mode})


def test_the_original_is_kept_byte_for_byte(config: Settings, tone: Tone) -> None:
    source = tone("a.wav", 0.5)
    for _ in range(2):
        assert media.keep(source, SHA, keeping(config, "original")) == media.Kept(f"audio/ab/{SHA}", "original")
    (path,) = media.kept_files(config.data_dir)
    assert path.read_bytes() == source.read_bytes()
    assert media.find(f"audio/ab/{SHA}", config.data_dir) == path.resolve()


def test_nothing_is_kept_where_nothing_shall_be(config: Settings, tone: Tone) -> None:
    assert media.keep(tone("a.wav", 0.5), SHA, keeping(config, "none")) is None
    assert list(media.kept_files(config.data_dir)) == []


@pytest.mark.parametrize("levels", [(0.5,), (0.0, 0.5)])
def test_an_opus_copy_is_small_plays_in_browsers_and_keeps_channels_apart(
    config: Settings, tone: Tone, levels: tuple[float, ...]
) -> None:
    source = tone("a.wav", *levels, seconds=5.03)
    kept = media.keep(source, SHA, keeping(config, "opus"))
    assert kept == media.Kept(f"audio/ab/{SHA}.opus", "opus")
    found = media.find(kept.path, config.data_dir)
    assert found is not None
    assert found.stat().st_size < source.stat().st_size / 3
    decoded = audio.decode(found)
    assert (decoded.info.codec, decoded.info.channels) == ("opus", len(levels))
    assert decoded.info.duration_s == pytest.approx(5.03, abs=0.03)
    loud = [float(np.sqrt(np.mean(waveform**2))) for waveform in decoded.waveforms]
    assert loud == pytest.approx([level / np.sqrt(2) for level in levels], abs=0.02)


def test_more_channels_than_two_are_kept_as_they_came(config: Settings, tone: Tone) -> None:
    source = tone("a.wav", 0.1, 0.2, 0.3)
    with pytest.raises(AudioError, match=r"a\.wav has 3 channels; 1 to 2 can be kept as Opus"):
        opus.encode(source, source.with_suffix(".opus"), audio.Limits())
    kept = media.keep(source, SHA, keeping(config, "opus"))
    assert kept == media.Kept(f"audio/ab/{SHA}", "original")
    assert len(list(media.kept_files(config.data_dir))) == 1


@pytest.mark.parametrize("mode", ["original", "opus"])
def test_a_folder_that_cannot_be_written_is_named(config: Settings, tone: Tone, mode: str) -> None:
    config.data_dir.mkdir()
    (config.data_dir / "audio").write_text("in the way")
    with pytest.raises(StoreError, match="could not be kept in"):
        media.keep(tone("a.wav", 0.5), SHA, keeping(config, mode))


@pytest.mark.usefixtures("talkative")
@pytest.mark.parametrize(("mode", "kind"), [("original", "original"), ("opus", "opus"), ("none", None)])
def test_a_clip_says_as_what_its_audio_was_kept(
    store: Store, config: Settings, tone: Tone, mode: str, kind: str | None
) -> None:
    chosen = keeping(config, mode)
    path = tone("a.wav", 0.5)
    (result,) = Analyser(store, chosen, LoudnessModel("1")).analyse([Source(path, "a.wav")], Description())
    view = reports.clip_view(store, result.clip_id or 0)
    assert view is not None
    assert (view.media_kind, view.media_path is None) == (kind, kind is None)
    if view.media_path is None:
        return
    found = media.find(view.media_path, config.data_dir)
    assert found is not None
    again = Source(found, "a.wav", sha256=media.hash_of(view.media_path))
    (second,) = Analyser(store, chosen, LoudnessModel("2")).analyse([again], Description())
    assert (second.status, second.clip_id) == (Status.ANALYSED, result.clip_id)
    assert len(list(media.kept_files(config.data_dir))) == 1
