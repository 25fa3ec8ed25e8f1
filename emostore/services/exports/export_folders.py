"""Clips as a zip of folders, each with a `result.json` as other tools write and read it, and what belongs to it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from emostore.emotions import EMOTIONS
from emostore.services.calibration import over_time
from emostore.services.calibration.over_time import Reader
from emostore.services.exports import export_lines
from emostore.services.exports.export_labels import Whole
from emostore.services.exports.export_tables import Sink
from emostore.store.reports.export_reports import RawResult

_ZIP_BEGINS, _ZIP_ENDS = 1980, 2107  # years that a zip can write


def pieces(clips: Iterable[Whole], zone: ZoneInfo, uncertain_below: float, read: Reader) -> Iterator[bytes]:
    """The zip, a clip at a time. A folder is named by when its clip began, in the reporting time zone.

    Beside what other tools know, `result.json` holds the whole line of the clip, so that an import makes it again.
    """
    sink = Sink()
    used: set[str] = set()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for clip in clips:
            row, raw, _labels = clip
            began = row.happened_at.astimezone(zone)
            folder = _free(f"outputs_{began:%Y%m%d_%H%M%S}", used)
            _add(archive, f"{folder}/result.json", _json(_result(clip, began, uncertain_below)), began)
            if (frames := _frames(raw, read)) is not None:
                _add(archive, f"{folder}/result_frame.json", _json(frames), began)
            if raw.embedding is not None:
                _add(archive, f"{folder}/embedding.npy", _npy(raw.embedding), began)
            yield sink.take()
    yield sink.take()


def _free(name: str, used: set[str]) -> str:
    """A name that no folder has yet."""
    free, number = name, 1
    while free in used:
        number += 1
        free = f"{name}_{number}"
    used.add(free)
    return free


def _result(clip: Whole, began: datetime, uncertain_below: float) -> dict[str, Any]:
    row = clip[0]
    line = export_lines.line(*clip, uncertain_below=uncertain_below, embedding=False)
    return {
        "emotion": row.scores.dominant if row.scores else None,
        "confidence": row.scores.confidence if row.scores else None,
        "uncertain": line["uncertain"],
        "scores": line.pop("scores"),
        "granularity": "utterance",
        "timestamp": f"{began + timedelta(seconds=row.duration_s):%Y-%m-%d %H:%M:%S}",
        "emostore": line,
    }


def _frames(raw: RawResult, read: Reader) -> list[dict[str, Any]] | None:
    """Its windows, with scores as the app shows them; their raw logits are in the line of the clip."""
    if raw.window_logits is None or raw.window_hop_s is None or raw.window_length_s is None:
        return None
    hop, length = raw.window_hop_s, raw.window_length_s
    return [
        {"start": index * hop, "end": index * hop + length, "scores": dict(zip(EMOTIONS, scores, strict=True))}
        for index, scores in enumerate(over_time.scores(raw.window_logits, read(raw.read_under)).tolist())
    ]


def _npy(vector: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(vector, np.float32), allow_pickle=False)
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False).encode(errors="replace")


def _add(archive: zipfile.ZipFile, name: str, data: bytes, moment: datetime) -> None:
    year = min(max(moment.year, _ZIP_BEGINS), _ZIP_ENDS)
    info = zipfile.ZipInfo(name, (year, *moment.timetuple()[1:6]))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)
