"""Reports as CSV: a table of clips and their windows, or of an agent's weeks."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from emostore.emotions import EMOTIONS
from emostore.services.exports.exporting import defused
from emostore.services.report.data import sums_of_agent
from emostore.services.report.facts import AgentFacts, ClipFacts

ABOUT = ("clip_id", "file_name", "channel", "role", "agent", "session_name", "happened_at", "model", "revision")
OF_CLIPS = ("part", *ABOUT, "start_s", "end_s", *EMOTIONS, "dominant", "quality", "uncertain")


def csv_of(found: Iterable[ClipFacts]) -> bytes:
    """A row for every clip and one for every window: nine scores with the strongest; UTF-8, marked for Excel."""
    return _csv(OF_CLIPS, (row for each in found for row in _rows(each)))


def csv_of_agent(found: AgentFacts) -> bytes:
    """A row for the whole time and one for every week, of the agent and of the others."""
    means = [f"{name}{end}" for name in ("quality", *EMOTIONS) for end in ("", "_low", "_high")]
    rows = []
    for who, told in sums_of_agent(found):
        for each in [told["whole"], *told["weeks"]]:
            given = {"quality": each["quality"], **(each["scores"] or {})}
            spans = [given.get(name) or {} for name in ("quality", *EMOTIONS)]
            values = [span.get(key) for span in spans for key in ("value", "low", "high")]
            rows.append(
                [who, each["first_day"], each["last_day"], each["clips"], each["alerts"], each["speech_s"], *values]
            )
    return _csv(("who", "first_day", "last_day", "clips", "alerts", "speech_s", *means), rows)


def _rows(found: ClipFacts) -> Iterable[list[Any]]:
    view, analysis, scores, path = found.view, found.analysis, found.scores, found.trajectory
    about = [
        *(view.clip_id, view.file_name, view.channel, view.role, view.agent, view.session_name),
        *(view.happened_at.isoformat(), analysis and analysis.model, analysis and analysis.revision),
    ]
    nine = list(scores.vector) if scores else [None] * len(EMOTIONS)
    yield [
        "clip",
        *about,
        0.0,
        view.duration_s,
        *nine,
        scores and scores.dominant,
        found.quality,
        _flag(found.uncertain),
    ]
    if path is None:
        return
    leading = np.where(path.scored, path.scores.argmax(axis=1), -1).tolist()
    for number, (values, first) in enumerate(zip(path.scores.tolist(), leading, strict=True)):
        start = number * path.hop_s
        told = [*values, EMOTIONS[first]] if first >= 0 else [None] * (len(EMOTIONS) + 1)
        yield ["window", *about, start, start + path.length_s, *told, None, None]


def _flag(value: bool | None) -> str | None:
    """As the exported tables write it."""
    return None if value is None else str(value).lower()


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows(
        ["" if value is None else defused(value) if isinstance(value, str) else value for value in row] for row in rows
    )
    return codecs.BOM_UTF8 + text.getvalue().encode(errors="replace")
