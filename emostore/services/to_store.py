"""From what was decoded, described and recognised to what the store takes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emostore import audio, speech
from emostore.emotions import EmotionScores
from emostore.engine.recognizer import Recognition
from emostore.services.metadata.descriptions import Description
from emostore.services.sound import media
from emostore.store.writing import records


def new_recording(
    path: Path,
    name: str,
    sha256: str,
    decoded: audio.Audio,
    description: Description,
    uploaded_at: datetime,
    kept: media.Kept | None,
) -> records.NewRecording:
    """The row of a recording that was decoded, and whose audio was kept or not."""
    happened_at, known_from = _when(description, decoded.info, uploaded_at)
    return records.NewRecording(
        sha256=sha256,
        file_name=name,
        byte_count=path.stat().st_size,
        duration_s=decoded.info.duration_s,
        sample_rate=decoded.info.sample_rate,
        channel_count=len(decoded.waveforms),
        container=decoded.info.container,
        codec=decoded.info.codec,
        uploaded_at=uploaded_at,
        happened_at=happened_at,
        happened_at_source=known_from,
        media_path=kept.path if kept else None,
        media_kind=kept.kind if kept else None,
        scenario=description.scenario,
        domain=description.domain,
        language=description.language,
        notes=tuple(records.Note(note.message, note.params) for note in decoded.notes),
    )


def outcome_to_store(answer: Recognition | speech.NoSpeech) -> records.Analysed | records.NoSpeech:
    """What the model or the speech detector said, in the store's terms."""
    if isinstance(answer, speech.NoSpeech):
        return records.NoSpeech(answer.value)
    windows = answer.windows
    return records.Analysed(
        logits=answer.logits,
        scores=EmotionScores.from_logits(answer.logits.tolist()),
        windows=records.NewWindows(windows.logits, windows.hop_s, windows.length_s),
        embedding=answer.embedding,
    )


def segments(report: speech.SpeechReport) -> NDArray[np.float64]:
    """Where somebody speaks, in seconds, shape (n, 2)."""
    return np.array([(each.start_s, each.end_s) for each in report.segments], np.float64).reshape(-1, 2)


def _when(
    description: Description, info: audio.AudioInfo, uploaded_at: datetime
) -> tuple[datetime, records.HappenedAtSource]:
    """When a recording happened, and how that is known; the time of the upload is only a guess."""
    if description.happened_at:
        return description.happened_at, description.happened_at_source
    if info.recorded_at:
        return info.recorded_at, "metadata"
    return uploaded_at, "upload"
