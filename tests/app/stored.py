"""Clips for pages to show, saved as the service saves them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store.session import Store
from emostore.store.writing import clips, records

NOW = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
MODEL = records.ModelRevisionKey("six", "abcdef123456", 2, (*EMOTIONS[:5], "sad"), "none")


def saved(
    store: Store, *, name: str = "call.wav", speechless: bool = False, happened_at: datetime = NOW, **about: str
) -> int:
    """Store one clip, by default an angry one of 75 s, and give its id."""
    recording = records.NewRecording(
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        file_name=name,
        byte_count=10,
        duration_s=75.0,
        sample_rate=8000,
        channel_count=1,
        container="wav",
        codec="pcm_mulaw",
        uploaded_at=NOW,
        happened_at=happened_at,
        happened_at_source="upload",
        notes=(records.Note("The sample rate changes inside the recording; it was followed."),),
    )
    logits = np.array([3, 2, 0, 0, 1, -np.inf, 0, -np.inf, -np.inf], np.float32)
    outcome = (
        records.NoSpeech("silence")
        if speechless
        else records.Analysed(logits, EmotionScores.from_logits(logits.tolist()), embedding=np.zeros(2, np.float32))
    )
    clip = records.NewClip(recording, 0, 75.0, 60.0, **{"role": "customer", **about})  # type: ignore[arg-type]
    return clips.save(store, records.NewAnalysis(clip, MODEL, outcome, NOW)).clip_id
