"""A CSV of scores: a row a clip, with a column for each emotion and any of those that our own exports have."""

from __future__ import annotations

import math
from collections.abc import Mapping

from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError
from emostore.services.exports.export_tables import undefused
from emostore.services.importing import places
from emostore.services.importing.found import Found, Model
from emostore.services.importing.json_lines import no_speech_reason
from emostore.services.importing.values import distribution, emotion_of, moment, quoted
from emostore.services.metadata.descriptions import Description, parse_domain, parse_roles, parse_scenario
from emostore.store.writing.names import stem
from emostore.store.writing.records import SessionOf

_FILE = ("file_name", "file", "filename", "name", "key", "clip", "文件", "文件名")
_TIME = ("happened_at", "time", "timestamp", "时间")


def read(row: Mapping[str, str], number: int) -> Found:
    """One row; columns that mean nothing here are passed over. Raises `MetadataError`."""
    cells = {name: undefused(cell) for name, cell in row.items()}
    name = next((cells[each] for each in _FILE if each in cells), "")
    scores: dict[str, float] = {}
    for title, cell in cells.items():
        emotion = emotion_of(title)
        if emotion in scores:
            raise MetadataError("There are two scores for {name}; which counts is not said.", name=emotion)
        if emotion is not None:
            scores[emotion] = _float(cell, title)
    silent = cells.get("no_speech_reason")
    if not scores and silent is None:
        raise MetadataError(
            "The row has no scores. A table of scores has a column for each of the nine emotions: {allowed}.",
            allowed=", ".join(EMOTIONS),
        )
    duration = _float(cells["duration_s"], "duration_s") if "duration_s" in cells else None
    sha256 = places.sha256(cells.get("sha256"))
    channel = places.channel(cells.get("channel", 0)) if sha256 else 0
    count = places.channel(cells.get("channel_count", 1), "channel_count", 1) if sha256 else 1
    named, session_of = _session(cells, name, sha256)
    return Found(
        name,
        given=distribution(scores) if scores else None,
        no_speech=no_speech_reason(silent) if silent is not None and not scores else None,
        time=moment(next((cells[each] for each in _TIME if each in cells), None), "happened_at"),
        time_source=places.time_source(cells.get("happened_at_source")),
        about=_about(cells, named),
        model=Model(cells.get("model"), cells.get("revision")),
        key=f"{name or number} [{cells.get('channel', '')}]",  # both channels of a call may have the same scores
        sha256=sha256,
        channel=channel,
        channel_count=max(count, channel + 1),
        duration_s=None if duration is None else max(0.0, duration),
        facts={"demo": cells.get("demo") == "true"},
        session_of=session_of,
    )


def _session(cells: Mapping[str, str], file_name: str, sha256: str | None) -> tuple[str | None, SessionOf | None]:
    shown, key = cells.get("session_name"), cells.get("session_key")
    if key is not None and sha256 is not None:
        return places.session(key, shown, sha256)
    # Of a session that nobody named, it is the file's.
    return (shown if shown and shown != stem(file_name or shown) else None), None


def _about(cells: Mapping[str, str], named: str | None) -> Description:
    return Description(
        agent=cells.get("agent"),
        team=cells.get("team"),
        session=cells.get("session") or named,
        roles=parse_roles(cells["role"])[:1] if "role" in cells else ("unknown",),
        scenario=parse_scenario(cells["scenario"]) if "scenario" in cells else None,
        domain=parse_domain(cells["domain"]) if "domain" in cells else None,
        language=cells.get("language"),
    )


def _float(cell: str, what: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise MetadataError("{what} is {found}, which is not a number.", what=what, found=quoted(cell))
    return found
