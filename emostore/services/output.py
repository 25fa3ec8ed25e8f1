"""Results as the command line prints them: a line for people, or one JSON object."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from emostore.emotions import EmotionScores, is_uncertain
from emostore.engine.registry import ModelListing
from emostore.i18n import explain
from emostore.services.analysis import ClipResult
from emostore.services.backups.backup import Contents
from emostore.store.reports.reports import ClipRow


def as_json(result: ClipResult, uncertain_below: float) -> str:
    """One clip as an object; `scores` has the nine emotions in order, or is null."""
    return _dump(
        {
            "file": result.file,
            "sha256": result.sha256,
            "channel": result.channel,
            "duration_s": result.duration_s,
            "model": result.model.name if result.model else None,
            "revision": result.model.revision if result.model else None,
            **_scores(result.scores, uncertain_below),
            "status": str(result.status),
            **({"error": explain(result.reason, "en")} if result.reason else {}),
            **({"notes": [explain(note, "en") for note in result.notes]} if result.notes else {}),
        }
    )


def as_text(result: ClipResult, uncertain_below: float) -> str:
    """One clip in a line."""
    voice = f" [{result.channel}]" if result.channel else ""
    if result.scores:
        heard = strongest(result.scores, uncertain_below)
    else:
        heard = explain(result.reason, "en") if result.reason else ""
    return f"{result.file}{voice}: {result.status}: {heard}"


def row_as_json(row: ClipRow, uncertain_below: float) -> str:
    """One stored clip as an object."""
    return _dump(
        {
            "clip": row.clip_id,
            "file": row.file_name,
            "sha256": row.sha256,
            "channel": row.channel,
            "channel_count": row.channel_count,
            "role": row.role,
            "agent": row.agent,
            "session": row.session_name,
            "session_key": row.session_key,
            "happened_at": row.happened_at.isoformat(),
            "happened_at_source": row.happened_at_source,
            "duration_s": row.duration_s,
            "model": row.model,
            "revision": row.revision,
            **_scores(row.scores, uncertain_below),
            "status": row.status,
        }
    )


def row_as_text(row: ClipRow, time_zone: str, uncertain_below: float) -> str:
    """One stored clip in a line, its time in the reporting time zone."""
    happened = row.happened_at.astimezone(ZoneInfo(time_zone))
    heard = strongest(row.scores, uncertain_below) if row.scores else row.no_speech_reason or "-"
    return f"{row.clip_id:>6}  {happened:%Y-%m-%d %H:%M}  {row.agent or '-'}  {row.file_name}  {heard}"


def strongest(scores: EmotionScores, uncertain_below: float) -> str:
    """The strongest emotion with its score, and whether that is uncertain."""
    heard = f"{scores.dominant} {scores.confidence:.3f}"
    return f"{heard} (uncertain)" if is_uncertain(scores.confidence, uncertain_below) else heard


def model_as_json(listing: ModelListing) -> str:
    """One model as an object; `problem` is null where it can be used."""
    return _dump(
        {
            "name": listing.name,
            "installed": listing.installed,
            "where": str(listing.where) if listing.where else None,
            "licence": listing.licence,
            "classes": list(listing.classes),
            "problem": str(listing.problem) if listing.problem else None,
        }
    )


def model_as_text(listing: ModelListing) -> str:
    """One model in a few lines."""
    state = "installed" if listing.installed else "not installed"
    lines = [f"{listing.name}: {state}", f"  licence: {listing.licence}"]
    lines += [f"  where: {listing.where}"] if listing.where else []
    lines += [f"  can produce: {', '.join(listing.classes)}"] if listing.classes else []
    lines += [f"  {listing.problem}"] if listing.problem else []
    return "\n".join(lines)


def contents_as_text(contents: Contents) -> str:
    """What a backup holds, in a line."""
    rows = contents.rows
    clips, recordings = rows.get("clips", 0), rows.get("recordings", 0)
    lost = f"; the audio of {contents.missing} more was not there" if contents.missing else ""
    return (
        f"{recordings} recordings, {clips} clips, {contents.audio_files} files of audio"
        f" ({contents.audio_bytes / 1e6:.1f} MB){lost}."
    )


def _scores(scores: EmotionScores | None, uncertain_below: float) -> dict[str, Any]:
    return {
        "emotion": scores.dominant if scores else None,
        "confidence": scores.confidence if scores else None,
        "uncertain": is_uncertain(scores.confidence, uncertain_below) if scores else None,
        "scores": dict(scores) if scores else None,
    }


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
