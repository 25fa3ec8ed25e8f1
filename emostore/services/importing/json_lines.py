"""Lines of JSON of our own: complete ones, as exports write them, and those that the command line prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from emostore.emotions import EMOTIONS, SUM_TOLERANCE, EmotionScores
from emostore.errors import MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.calibration import labelling
from emostore.services.exports.clip_line import FORMAT, ClipLine
from emostore.services.importing import places
from emostore.services.importing.found import Found, Model, OtherSide
from emostore.services.importing.values import distribution, moment, number, quoted, text
from emostore.services.metadata.descriptions import ROLES, Description
from emostore.store.calibration.labels import NewLabel, Said
from emostore.store.writing.names import clean_name
from emostore.store.writing.records import NewWindows, NoSpeechReason

_NO_SPEECH = ("silence", "no_speech", "too_short")


def is_line(value: Any) -> bool:
    """Whether a JSON value is a complete line of ours."""
    return isinstance(value, Mapping) and value.get("format") == FORMAT


def is_printed(value: Any) -> bool:
    """Whether a JSON value is what `python -m emostore analyze --json` or `list --json` prints."""
    return isinstance(value, Mapping) and {"file", "channel", "scores", "status"} <= value.keys()


def read(value: Mapping[str, Any]) -> Found:
    """A complete line. Its raw results count, and they have to fit the scores beside them."""
    if value.get("version") != 1:
        raise MetadataError(
            "The line has version {found}; this program reads version {known}. Update it.",
            found=quoted(value.get("version")),
            known=1,
        )
    try:
        line = ClipLine.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise MetadataError(
            "{what} is {found}: {problem}.",
            what=".".join(str(part) for part in first["loc"]) or "The line",
            found=quoted(first["input"]),
            problem=first["msg"],
        ) from error
    classes = line.model.classes
    if [name for name in EMOTIONS if name in classes] != list(classes):
        raise MetadataError("{found} is no list of emotions in their order.", found=quoted(", ".join(classes)))
    logits = _logits(line)
    if line.embedding is not None and len(line.embedding) != line.model.dim:
        raise MetadataError(
            "The embedding has {found} numbers, and those of its model have {expected}.",
            found=len(line.embedding),
            expected=line.model.dim,
        )
    raw = line.calibration == "raw"
    doubts = [] if raw or logits is None else [_calibrated(line.calibration)]
    other = OtherSide(line.pair.sha256, line.pair.first, line.pair.offset_s) if line.pair else None
    _, session_of = places.session(line.session_key, line.session_name, line.sha256, other.sha256 if other else None)
    return Found(
        line.file_name,
        given=distribution(line.scores) if logits is not None else None,
        logits=logits,
        no_speech=line.no_speech_reason,
        windows=_windows(line),
        embedding=_embedding(line.embedding) if line.embedding is not None else None,
        time=line.happened_at,
        time_source=line.happened_at_source,
        about=Description(
            agent=line.agent,
            team=line.team,
            session=line.session,
            roles=(line.role,),
            scenario=line.scenario,
            domain=line.domain,
            language=line.language,
        ),
        model=Model(line.model.name, line.model.revision, line.model.dim, classes, line.model.licence, raw=True),
        key=line.file_name,
        sha256=line.sha256,
        channel=line.channel,
        channel_count=max(line.channel_count, line.channel + 1),
        duration_s=line.duration_s,
        facts={
            "uploaded_at": line.uploaded_at,
            "recording_duration_s": line.recording_duration_s,
            "speech_s": line.speech_s,
            "segments": _segments(line),
            "byte_count": line.byte_count,
            "sample_rate": line.sample_rate,
            "container": line.container,
            "codec": line.codec,
            "demo": line.demo,
            "notes": line.notes,
            "analysed_at": line.analysed_at,
            "compute_s": line.compute_s,
        },
        labels=_labels(line),
        session_of=session_of,
        other_side=other,
        doubts=tuple(doubts),
    )


def read_printed(value: Mapping[str, Any]) -> Found:
    """A line that the command line printed. It has scores and no raw results."""
    name = text(value["file"], "file") or ""
    if value["scores"] is None:
        raise MetadataError("There are no scores in it (its status is {status}).", status=quoted(value["status"]))
    sha256 = places.sha256(text(value.get("sha256"), "sha256"))
    channel = places.channel(value["channel"])
    count = places.channel(value.get("channel_count", 1), "channel_count", 1)
    when, role = text(value.get("happened_at"), "happened_at"), text(value.get("role"), "role") or "unknown"
    if role not in ROLES:
        raise MetadataError(
            "{found} is not a role; a channel is one of {allowed}.", found=quoted(role), allowed=", ".join(ROLES)
        )
    duration = value.get("duration_s")
    shown = text(value.get("session"), "session")
    key = text(value.get("session_key"), "session_key")
    named, session_of = (shown, None) if key is None else places.session(key, shown, sha256)
    return Found(
        name,
        given=distribution(value["scores"]),
        time=moment(when, "happened_at"),
        time_source=places.time_source(text(value.get("happened_at_source"), "happened_at_source")),
        about=Description(
            agent=text(value.get("agent"), "agent"),
            session=named,
            roles=(role,),
        ),
        model=Model(text(value.get("model"), "model"), text(value.get("revision"), "revision")),
        key=name,
        sha256=sha256,
        channel=channel if sha256 else 0,
        channel_count=max(count, channel + 1) if sha256 else 1,
        duration_s=None if duration is None else max(0.0, number(duration, "duration_s")),
        session_of=session_of,
    )


def no_speech_reason(found: str) -> NoSpeechReason:
    """Why there are no scores. Raises `MetadataError` for a reason that is none."""
    if found not in _NO_SPEECH:
        raise MetadataError(
            "{what} is {found}; it is one of {allowed}.",
            what="no_speech_reason",
            found=quoted(found),
            allowed=", ".join(_NO_SPEECH),
        )
    return cast(NoSpeechReason, found)


def _logits(line: ClipLine) -> NDArray[np.float32] | None:
    if line.status == "no_speech":
        if line.no_speech_reason is None or line.logits or line.windows or line.embedding:
            raise MetadataError("A clip without speech has a reason and no results, and this one differs.")
        return None
    if line.logits is None or line.scores is None or line.no_speech_reason is not None:
        raise MetadataError("A clip with speech has scores and logits, and this one has not.")
    logits = _nine(line.logits)
    scores = EmotionScores.from_logits(logits.tolist())
    given = distribution(line.scores)
    off = max(abs(scores[name] - given[name]) for name in EMOTIONS)
    if line.calibration == "raw" and off > SUM_TOLERANCE:
        raise MetadataError("The scores and the logits of the line contradict each other by {off:.3f}.", off=off)
    return logits


def _labels(line: ClipLine) -> tuple[Said, ...]:
    found: dict[str, Said] = {}
    for each in line.labels:
        rater = clean_name(each.rater, "rater")
        if rater is None or rater in found:
            raise MetadataError(
                "A clip has one label of each rater, and a rater has a name; {found} is none, or there twice.",
                found=quoted(each.rater),
            )
        label = NewLabel(each.emotion, each.second, each.intensity, each.comment, each.reason)
        found[rater] = Said(rater, labelling.checked(label), each.labelled_at)
    return tuple(found.values())


def _segments(line: ClipLine) -> NDArray[np.float64] | None:
    if line.segments is None:
        return None
    found = np.array(line.segments, np.float64).reshape(-1, 2)
    if (np.diff(found.ravel()) < 0).any():
        raise MetadataError("Its stretches of speech overlap, or are not in their order.")
    return found


def _windows(line: ClipLine) -> NewWindows | None:
    if line.windows is None:
        return None
    rows = np.stack([_nine(row) for row in line.windows.logits])
    if not np.isfinite(rows).any(axis=1).all():
        raise MetadataError("A window has no score above 0.")
    return NewWindows(rows, line.windows.hop_s, line.windows.length_s)


def _nine(logits: Sequence[float | None]) -> NDArray[np.float32]:
    return np.array([-math.inf if each is None else each for each in logits], np.float32)


def _embedding(values: Sequence[float]) -> NDArray[np.float32]:
    found = np.array(values, np.float32)
    if not (np.abs(found) <= np.finfo(np.float16).max).all():
        raise MetadataError("The array holds values that are not numbers, or too large for an embedding.")
    return found


def _calibrated(name: str) -> Sentence:
    message = N_("Its scores were shown under the calibration {name}; the raw results are stored, without it.")
    return Sentence(message, {"name": quoted(name)})
