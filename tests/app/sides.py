"""Calls of two sides for pages to show: who speaks when and how is known to the second."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emostore import audio
from emostore.config import settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services import alerting
from emostore.services.sound import media
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import clips, records
from tests.app.stored import NOW
from tests.audio_samples import noise, write_wav

LENGTH_S = 60.0
MODEL = records.ModelRevisionKey("nine", "abcdef123456", 2, EMOTIONS, "none")
Stretches = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Voice:
    """A side: when it speaks, and its emotions as (name, from window on)."""

    role: str
    speaks: Stretches
    moods: Sequence[tuple[str, int]] = field(default_factory=lambda: [("neutral", 0)])
    agent: str | None = "Ana"
    model: records.ModelRevisionKey = MODEL


# The agent is calm. The customer gets angry at 40 s; they talk over each other for two seconds.
AGENT = Voice("agent", [(0, 10), (20, 32)])
CUSTOMER = Voice("customer", [(12, 18), (30, 58)], [("neutral", 0), ("angry", 40)])
SILENT = Voice("customer", [])


def call(
    store: Store,
    *voices: Voice,
    name: str = "call.wav",
    session: str | None = None,
    folder: Path | None = None,
    channels: int | None = None,
    known: bool = True,
    notes: Sequence[records.Note] = (),
) -> list[int]:
    """Store a call of a minute with these sides and give the ids of its clips.

    With a `folder` its sound is made there and kept. `channels` are more than the voices where some are not stored
    yet; where speech is not `known`, clips are as they were before it was kept.
    """
    count = channels or len(voices)
    about = {"sha256": hashlib.sha256(name.encode()).hexdigest(), "byte_count": 10}
    if folder is not None:
        path = write_wav(folder / name, np.stack([noise(LENGTH_S, 8000, seed=each) for each in range(count)]), 8000)
        kept = media.keep(path, audio.content_hash(path), settings())
        assert kept is not None
        about = {"sha256": audio.content_hash(path), "byte_count": path.stat().st_size}
        about |= {"media_path": kept.path, "media_kind": kept.kind}
    recording = records.NewRecording(
        file_name=name,
        duration_s=LENGTH_S,
        sample_rate=8000,
        channel_count=count,
        container="wav",
        codec="pcm_s16le",
        uploaded_at=NOW,
        happened_at=NOW,
        happened_at_source="given",
        notes=tuple(notes),
        **about,  # type: ignore[arg-type]
    )
    sides = [_side(store, recording, channel, voice, session, known) for channel, voice in enumerate(voices)]
    return [saved.clip_id for saved in clips.save_many(store, sides)]


def session_of(store: Store, clip_id: int) -> int:
    """The id of a clip's session."""
    return reports.clip_rows(store, [clip_id])[clip_id].session_id


def window_logits(moods: Sequence[tuple[str, int]], model: records.ModelRevisionKey = MODEL) -> np.ndarray:
    """One row a second, the emotion of the time far above the others."""
    logits = np.full((int(LENGTH_S) - 2, 9), -np.inf, np.float32)
    logits[:, [EMOTIONS.index(name) for name in model.classes]] = 0
    for name, first in moods:
        logits[first:, :] = np.where(np.isfinite(logits[first:, :]), 0, logits[first:, :])
        logits[first:, EMOTIONS.index(name)] = 5
    return logits


def _side(
    store: Store,
    recording: records.NewRecording,
    channel: int,
    voice: Voice,
    session: str | None,
    known: bool,
) -> records.NewAnalysis:
    segments = np.array(voice.speaks, np.float64).reshape(-1, 2)
    speech_s = float(np.diff(segments).sum())
    clip = records.NewClip(
        recording,
        channel,
        LENGTH_S,
        speech_s,
        role=voice.role,  # type: ignore[arg-type]
        agent=voice.agent,
        session_name=session,
        segments=segments if known else None,
    )
    if not voice.speaks:
        return records.NewAnalysis(clip, voice.model, records.NoSpeech("silence"), NOW)
    logits = window_logits(voice.moods, voice.model)
    mean = np.where(np.isfinite(logits).all(axis=0), np.where(np.isfinite(logits), logits, 0).mean(axis=0), -np.inf)
    mean = mean.astype(np.float32)
    scores = EmotionScores.from_logits(mean.tolist())
    outcome = records.Analysed(mean, scores, records.NewWindows(logits, 1.0, 3.0))
    raised = alerting.raised(
        alerting.active_rules(store),
        scores,
        role=voice.role,  # type: ignore[arg-type]
        speech_s=speech_s,
        windows=alerting.windows_of(outcome, None),
        classes=voice.model.classes,
    )
    return records.NewAnalysis(clip, voice.model, outcome, NOW, alerts=raised)
