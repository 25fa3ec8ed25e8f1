"""Labels: what raters hear, checked, asked for its right, and written to the audit with what it was before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from emostore import access
from emostore.analytics.agreement import alpha
from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError
from emostore.store import audit
from emostore.store.calibration import labels
from emostore.store.calibration.labels import LabelView, NewLabel, Queue, Said
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.label_models import CANNOT_TELL, REASONS, VERDICTS
from emostore.store.tables.models import NAME_LENGTH
from emostore.store.writing import edits
from emostore.store.writing.names import clean

COMMENT_LENGTH = 2000  # characters
INTENSITIES = (1, 2, 3, 4, 5)
MOST_QUEUED = 100  # clips that a queue gives at once
QUEUES: tuple[Queue, ...] = ("uncertain", "disagreeing", "random")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree: Krippendorff's alpha (None: nothing to compare), and over how many clips."""

    alpha: float | None
    clips: int


def checked(label: NewLabel) -> NewLabel:
    """The label with its comment cleaned. Raises `MetadataError` for what cannot be."""
    if label.emotion not in VERDICTS:
        raise MetadataError(
            "{found} is not one of the nine emotions ({allowed}).",
            found=repr(label.emotion)[:50],
            allowed=", ".join((*EMOTIONS, CANNOT_TELL)),
        )
    if label.second is not None:
        if label.second not in EMOTIONS:
            raise MetadataError(
                "{found} is not one of the nine emotions ({allowed}).",
                found=repr(label.second)[:50],
                allowed=", ".join(EMOTIONS),
            )
        if label.second == label.emotion or label.emotion == CANNOT_TELL:
            raise MetadataError(
                "A second emotion stands beside another first one. Leave it out, or change one of them."
            )
    if label.intensity is not None and label.intensity not in INTENSITIES:
        raise MetadataError(
            "The intensity {found} is not one of {allowed}.",
            found=repr(label.intensity)[:50],
            allowed=", ".join(map(str, INTENSITIES)),
        )
    if label.reason not in REASONS:
        raise MetadataError("{found} is no reason for a label.", found=repr(label.reason)[:50])
    comment = "\n".join(map(clean, (label.comment or "").strip().splitlines())) or None
    if comment and len(comment) > COMMENT_LENGTH:
        raise MetadataError(
            "A comment has 1 to {allowed} characters; this one has {found}.",
            allowed=COMMENT_LENGTH,
            found=len(comment),
        )
    return replace(label, comment=comment)


def save(store: Store, clip_id: int, label: NewLabel) -> None:
    """Save what the current user hears in a clip, in place of what they heard before.

    Raises `MetadataError` for a label that cannot be, and a clip that is gone.
    """
    access.require("edit", clip_id)
    user = access.current_user().name
    save_many(store, {(clip_id, user): label})


def save_many(
    store: Store, given: Mapping[tuple[int, str], NewLabel], said_at: Mapping[tuple[int, str], datetime] | None = None
) -> None:
    """Save labels by clip and rater, all of them or none; what is there already in the same words stays.

    `said_at` tells of some when they were said; the others are said now.
    """
    access.require("edit")
    times = said_at or {}
    kept = {
        (clip_id, clean(rater)[:NAME_LENGTH]): (checked(label), times.get((clip_id, rater)))
        for (clip_id, rater), label in given.items()
    }
    with edits.changing(store) as session:
        told: list[tuple[int, dict[str, object]]] = []
        for (clip_id, rater), (label, moment) in sorted(kept.items(), key=lambda each: each[0]):
            before = labels.save(session, clip_id, rater, label, moment)
            if before is None or before.label != label:
                told.append((clip_id, _told(rater, before, label)))
        _record(session, told)


def restore(store: Store, given: Mapping[tuple[int, str], Said]) -> int:
    """Save labels that come with their clips, by clip and rater; how many.

    What a rater said here stays, and so does what is said of a clip that is gone. The labels are `checked`.
    """
    access.require("edit")
    if not given:
        return 0
    with edits.changing(store) as session:
        new = sorted(labels.add_missing(session, given))
        _record(session, [(key[0], _told(key[1], None, given[key].label)) for key in new])
    return len(new)


def shown(given: Sequence[LabelView]) -> tuple[LabelView, ...]:
    """Those labels of a clip that the current user may take away.

    Whoever may still say what they hear in it is not told by others first; who runs the app may take everything.
    """
    me = access.current_user().name
    if access.can("administer") or not access.can("edit") or any(each.rater == me for each in given):
        return tuple(given)
    return ()


def remove(store: Store, clip_id: int, rater: str | None = None) -> None:
    """Take back the label of the current user, or of another rater. Raises `MetadataError` if there is none."""
    access.require("edit", clip_id)
    who = rater or access.current_user().name
    with edits.changing(store) as session:
        before = labels.remove(session, clip_id, who)
        _record(session, [(clip_id, _told(who, before, None))])


def mine(store: Store, clip_id: int) -> LabelView | None:
    """What the current user said of a clip."""
    user = access.current_user().name
    return next((each for each in labels.of_clip(store, clip_id) if each.rater == user), None)


def queue(store: Store, kind: Queue, limit: int = 20, model: Model | None = None, seed: int = 0) -> Sequence[int]:
    """Clips for the current user to listen to next (see `labels.queue`); `kind` is the reason to save with the label.

    Only of clips drawn at `random` can be said how good scores are of all clips.
    """
    access.require("read")
    if kind not in QUEUES:
        raise MetadataError("{found} is no reason for a label.", found=repr(kind)[:50])
    return labels.queue(store, kind, access.current_user().name, min(max(limit, 0), MOST_QUEUED), model, seed)


def agreement(store: Store) -> Agreement:
    """How far raters agree on the clips that several of them labelled."""
    pairs = labels.ratings(store)
    seen: dict[int, int] = {}
    for clip_id, _ in pairs:
        seen[clip_id] = seen.get(clip_id, 0) + 1
    return Agreement(alpha(pairs), sum(count > 1 for count in seen.values()))


def _told(rater: str, before: LabelView | None, after: NewLabel | None) -> dict[str, object]:
    return {
        "what": "label",
        "rater": rater,
        "from": asdict(before.label) if before else None,
        "to": asdict(after) if after else None,
    }


def _record(session: Session, told: Sequence[tuple[int, dict[str, object]]]) -> None:
    user = access.current_user().name
    for clip_id, details in told:
        audit.record(session, user, "changed", "clip", clip_id, details)
