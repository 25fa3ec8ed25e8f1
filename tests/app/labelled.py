"""Clips with sound and over-confident scores, and labels of them, as services save them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emostore import audio
from emostore.config import settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services.calibration import labelling
from emostore.services.sound import media
from emostore.store.calibration.labels import NewLabel, Reason
from emostore.store.session import Store
from emostore.store.writing import clips, records
from tests.app.stored import NOW
from tests.audio_samples import noise, write_wav

MODEL = records.ModelRevisionKey("nine", "abcdef123456", 2, EMOTIONS, "none")
KEY = (MODEL.name, MODEL.revision)
HEARD = ("angry", "happy", "neutral", "sad")
LENGTH_S = 1.0


def many(
    store: Store, count: int, *, sound: Path | None = None, sure: float = 12.0, embedded: bool = False
) -> list[int]:
    """Store clips, each of its own session, and give their ids; about seven of ten are scored as what is `heard`.

    Their scores are far too sure of themselves. With a folder in `sound` each has a second of noise that is kept. If
    they are `embedded`, their embeddings tell better than their scores what is heard.
    """
    rng = np.random.default_rng(7)
    made = []
    for number in range(count):
        logits = rng.normal(0, 1.2, len(EMOTIONS))
        logits[EMOTIONS.index(heard(number))] += 2.2
        logits = (sure / 2.2 * logits).astype(np.float32)
        about = {"sha256": f"{number:064x}", "byte_count": 10}
        if sound is not None:
            path = write_wav(sound / f"call {number}.wav", noise(LENGTH_S, 8000, seed=number)[None], 8000)
            kept = media.keep(path, audio.content_hash(path), settings())
            assert kept is not None
            about = {"sha256": audio.content_hash(path), "byte_count": path.stat().st_size}
            about |= {"media_path": kept.path, "media_kind": kept.kind}
        recording = records.NewRecording(
            file_name=f"call {number}.wav",
            duration_s=LENGTH_S,
            sample_rate=8000,
            channel_count=1,
            container="wav",
            codec="pcm_s16le",
            uploaded_at=NOW,
            happened_at=NOW,
            happened_at_source="given",
            domain=("phone", "headset")[number % 2],
            **about,  # type: ignore[arg-type]
        )
        clip = records.NewClip(
            recording, 0, LENGTH_S, LENGTH_S, role="customer", agent="Ana", session_name=f"S{number}"
        )
        scores = EmotionScores.from_logits(logits.tolist())
        corner = np.array([number // 2 % 2, number % 2], np.float32)
        vector = corner + 0.2 * np.sin([3.0 * number, 5.0 * number], dtype=np.float32) if embedded else None
        made.append(records.NewAnalysis(clip, MODEL, records.Analysed(logits, scores, None, vector), NOW))
    return [saved.clip_id for saved in clips.save_many(store, made)]


def heard(number: int) -> str:
    """What is heard in a clip, by its place."""
    return HEARD[number % len(HEARD)]


def label(store: Store, clip_ids: Sequence[int], *, rater: str = "Bo", reason: Reason = "random") -> None:
    """Label clips, which begin with the first that `many` made, with what is heard in them."""
    given = {(clip_id, rater): NewLabel(heard(number), reason=reason) for number, clip_id in enumerate(clip_ids)}
    labelling.save_many(store, given)
