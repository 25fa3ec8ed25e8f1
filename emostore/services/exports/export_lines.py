"""Clips as lines of JSON, each with everything that an import needs to make the same clip again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from emostore.emotions import is_uncertain
from emostore.services.exports.clip_line import FORMAT, MOST_NOTES
from emostore.services.exports.export_raw import shortest
from emostore.services.exports.export_tables import Column
from emostore.store.calibration.labels import LabelView
from emostore.store.preferences import UNCERTAIN_BELOW
from emostore.store.reports.export_reports import RawResult
from emostore.store.reports.views import HistoryRow
from emostore.store.writing.records import Note

_PIECE_BYTES = 1 << 18


def line(
    row: HistoryRow,
    raw: RawResult,
    labels: Sequence[LabelView] = (),
    *,
    uncertain_below: float = UNCERTAIN_BELOW,
    embedding: bool = True,
) -> dict[str, Any]:
    """A clip as `ClipLine` describes it; times are in UTC."""
    return {
        "format": FORMAT,
        "version": 1,
        "clip_id": row.clip_id,
        "sha256": raw.sha256,
        "file_name": row.file_name,
        "channel": row.channel,
        "channel_count": row.channel_count,
        "role": row.role,
        "agent": row.agent,
        "team": row.team,
        "session": raw.session,
        "session_key": row.session_key,
        "session_name": row.session_name,
        "pair": raw.pair._asdict() if raw.pair else None,
        "happened_at": row.happened_at.isoformat(),
        "happened_at_source": row.happened_at_source,
        "uploaded_at": raw.uploaded_at.isoformat(),
        "duration_s": row.duration_s,
        "recording_duration_s": raw.recording_duration_s,
        "speech_s": raw.speech_s,
        "segments": None if raw.segments is None else raw.segments.tolist(),
        "byte_count": raw.byte_count,
        "sample_rate": raw.sample_rate,
        "container": raw.container,
        "codec": raw.codec,
        "scenario": row.scenario,
        "domain": row.domain,
        "language": row.language,
        "demo": row.demo,
        "notes": [_said(note) for note in raw.notes[:MOST_NOTES]],
        "model": {
            "name": row.model,
            "revision": row.revision,
            "dim": raw.dim,
            "classes": list(raw.classes),
            "licence": raw.licence,
        },
        "calibration": raw.calibration,
        "analysed_at": raw.analysed_at.isoformat(),
        "compute_s": raw.compute_s,
        "status": row.status,
        "no_speech_reason": row.no_speech_reason,
        "scores": dict(row.scores) if row.scores else None,
        "uncertain": is_uncertain(row.scores.confidence, uncertain_below) if row.scores else None,
        "logits": None if raw.logits is None else _finite(raw.logits.tolist()),
        "windows": _windows(raw),
        "embedding": shortest(raw.embedding) if embedding and raw.embedding is not None else None,
        "labels": [
            {"rater": each.rater, **asdict(each.label), "labelled_at": each.labelled_at.isoformat()} for each in labels
        ],
    }


def plain(row: Any, table: Sequence[Column], time_zone: str) -> dict[str, Any]:
    """A row of a table as an object, its times with their offset."""
    zone = ZoneInfo(time_zone)
    values = ((column.name, column.value(row)) for column in table)
    return {
        name: value.astimezone(zone).isoformat() if isinstance(value, datetime) else value for name, value in values
    }


def pieces(objects: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """An object a line, in UTF-8; some lines at a time."""
    held: list[bytes] = []
    size = 0
    for each in objects:
        text = json.dumps(each, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        held.append(text.encode(errors="replace") + b"\n")
        size += len(held[-1])
        if size >= _PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _windows(raw: RawResult) -> dict[str, Any] | None:
    if raw.window_logits is None:
        return None
    width = raw.window_logits.shape[1]
    flat = _finite(shortest(raw.window_logits.ravel()))
    rows = [flat[start : start + width] for start in range(0, len(flat), width)]
    return {"hop_s": raw.window_hop_s, "length_s": raw.window_length_s, "logits": rows}


def _finite(logits: Sequence[float]) -> list[float | None]:
    """Logits as JSON knows numbers: −inf, of a class that cannot be given, is null."""
    return [value if math.isfinite(value) else None for value in logits]


def _said(note: Note) -> str:
    return note.message.format(**note.params)
