"""`result.json`: one clip as a widely used WebUI writes it, and as this program's own folders hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emostore.emotions import EMOTIONS
from emostore.i18n import N_, Sentence
from emostore.services.importing import frame_scores
from emostore.services.importing.found import Found, Frames
from emostore.services.importing.values import distribution, emotion_of, moment, number, quoted, text, unix_moment
from emostore.services.metadata.descriptions import Description, parse_scenario

_CLOSE = 0.0051  # two roundings to three decimals, and to two


def is_result(value: Any) -> bool:
    """Whether a JSON value is one result: an object with scores, of the whole or of frames."""
    if not isinstance(value, Mapping):
        return False
    return "scores" in value or "frames" in value or bool(value and all(map(emotion_of, value)))


def read(value: Mapping[str, Any], name: str) -> Found:
    """One result, called `name` unless it has one of its own; `scenario` may say what it is.

    Its frames may be in it; where there are only frames, their mean stands for the whole.
    """
    when = value.get("timestamp")
    if isinstance(when, (int, float)):
        time = unix_moment(when, "timestamp")
    else:
        time = moment(text(when, "timestamp"), "timestamp")
    scenario, own = text(value.get("scenario"), "scenario"), text(value.get("name"), "name")
    found = Found(
        own or name,
        key=own or "",
        time=time,
        about=Description(scenario=parse_scenario(scenario) if scenario else None),
    )
    scores = value.get("scores", None if "frames" in value else value)
    frames: Frames | None = None
    if "frames" in value:
        frames = frame_scores.read({**value, "scores": value["frames"]} if "scores" in value else value)
    elif frame_scores.is_frames(value):
        frames, scores = frame_scores.read(value), None
    if scores is None:
        return replace(found, frames=frames)
    given = distribution(scores)
    return replace(found, given=given, frames=frames, doubts=tuple(_contradictions(value, given)))


def _contradictions(value: Mapping[str, Any], given: dict[str, float]) -> list[Sentence]:
    """Where what stands beside the scores does not fit them; the scores count."""
    found = []
    top = max(given.values())
    said = text(value.get("emotion"), "emotion")
    named = emotion_of(said) if said else None
    if said and (named is None or given[named] < top - _CLOSE):
        highest = next(name for name in EMOTIONS if given[name] == top)
        message = N_("The file says {said}, but the highest of its scores is that of {highest}. The scores count.")
        found.append(Sentence(message, {"said": quoted(said), "highest": highest}))
    if value.get("confidence") is not None and abs(number(value["confidence"], "confidence") - top) > _CLOSE:
        message = N_("The file gives the confidence {said}, but its highest score is {highest:.3f}. The scores count.")
        found.append(Sentence(message, {"said": quoted(value["confidence"]), "highest": top}))
    return found
