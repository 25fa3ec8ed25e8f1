"""One call as its pages show it: every voice with its scores over time, who talks when, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from emostore.analytics import trajectory as paths
from emostore.analytics.insights import CLOSE_WITHIN, DOMINANT_ABOVE
from emostore.analytics.talk import Talk, Turn, talk
from emostore.analytics.trajectory import ALPHA, NOTABLE, Moment, Trajectory, Verdict
from emostore.emotions import BY_NAME, EMOTIONS, EmotionScores
from emostore.i18n import N_, Sentence
from emostore.services.calibration import over_time
from emostore.services.calibration.over_time import Reader
from emostore.store.calibration import calibrations
from emostore.store.reports import reports
from emostore.store.reports.reports import ClipView
from emostore.store.session import Store

_FIRST = ("customer", "mixed", "unknown", "agent")  # whom a reader asks about first


@dataclass(frozen=True, slots=True)
class Voice:
    """A clip with its scores over time, which begin at `view.starts_s` of the call (None: it has none).

    `segments` are where it speaks, in its own time, shape (n, 2); None where that is not known. `left_out` says which
    part of the calibration its scores over time cannot have; None where they have all of it.
    """

    view: ClipView
    path: Trajectory | None
    segments: NDArray[np.float64] | None
    left_out: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The sides of one call, of which `recording_id` is played; `talk` is None where speech is not known of a side."""

    recording_id: int
    voices: tuple[Voice, ...]
    talk: Talk | None

    @property
    def played(self) -> tuple[Voice, ...]:
        """The sides that are in the recording, by channel."""
        return tuple(voice for voice in self.voices if voice.view.recording_id == self.recording_id)

    @property
    def missing(self) -> int:
        """How many channels of the recording are not stored (yet)."""
        view = self.played[0].view
        return view.channel_count - len(view.siblings)


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """A turn of the voice `side`, and the mean of its scores with the strongest emotion; None if nothing is scored."""

    turn: Turn
    emotion: str | None
    score: float | None


def voices(store: Store, views: Iterable[ClipView], read: Reader | None = None) -> tuple[Voice, ...]:
    """Clips with what their newest analysis says over time, under the calibration that their scores are read under.

    Windows in which nobody speaks are not scored. `read` is a reader of calibrations that several calls share.
    """
    views, read = tuple(views), read or reader(store)
    spoken = reports.speech_segments(store, [view.clip_id for view in views])
    return tuple(_voice(store, view, spoken.get(view.clip_id), read) for view in views)


def reader(store: Store) -> Reader:
    """Reads each calibration once, for all calls that it is handed to."""
    return over_time.reader(partial(calibrations.get, store))


def conversation(store: Store, clip_ids: Sequence[int], read: Reader | None = None) -> Conversation | None:
    """The call that clips of one recording belong to, with the sides that came as files of their own.

    None if the clips are not there (any more). `read` is as for `voices`.
    """
    views = [view for view in (reports.clip_view(store, each) for each in clip_ids) if view is not None]
    if not views:
        return None
    held = {view.clip_id for view in views}
    partners = [view.partner_id for view in views if view.partner_id is not None and view.partner_id not in held]
    others = [view for view in (reports.clip_view(store, each) for each in partners) if view is not None]
    found = voices(store, [*views, *others], read)
    return Conversation(views[0].recording_id, found, _talk(found))


def spoken_turns(sides: Sequence[Voice]) -> tuple[SpokenTurn, ...]:
    """The turns of the voices of one recording, in its own time, each with the mean of the scored windows in it.

    None where speech is not known of a voice.
    """
    spoken = [voice.segments for voice in sides if voice.segments is not None]
    length_s = max(voice.view.duration_s for voice in sides)
    if len(spoken) < len(sides) or length_s <= 0:
        return ()
    told = [_sums(voice.path) if voice.path is not None else None for voice in sides]
    return tuple(_spoken(turn, sides[turn.side], told[turn.side]) for turn in talk(spoken, length_s).turns)


def by_interest(found: Iterable[Voice]) -> list[Voice]:
    """The voices in the order in which a reader asks about them: customers first."""
    return sorted(found, key=lambda voice: (_FIRST.index(voice.view.role), voice.view.starts_s, voice.view.channel))


def opening(voice: Voice, alone: bool) -> Sentence | None:
    """How a voice sounds and where its mood goes, in one sentence; None where there is no analysis.

    `alone` says that there is no other voice to tell it from.
    """
    analysis = voice.view.newest
    who = _who(voice.view, alone)
    if analysis is None:
        return None
    if analysis.scores is None:
        return Sentence(N_("{who} was not heard: no speech was found."), {"who": who})
    sounds = _sounds(who, analysis.scores)
    trend = paths.trend(voice.path) if voice.path is not None else None
    if trend is None or trend.p_value is None:
        return Sentence(N_("{sounds}."), {"sounds": sounds})
    return Sentence(N_("{sounds}, and {course}."), {"sounds": sounds, "course": Sentence(_COURSES[trend.verdict])})


def course(path: Trajectory | None) -> Sentence | None:
    """Whether the mood improves, worsens or is steady, with the test that says so; None for fewer than two windows."""
    trend = paths.trend(path) if path is not None else None
    if trend is None:
        return None
    if trend.p_value is None:
        return Sentence(N_("Too little is said to tell whether the mood changes."))
    kind: str = trend.verdict
    if kind == "steady" and trend.p_value >= ALPHA:
        kind = "chance"
    p = trend.p_value
    said = Sentence(N_("p < 0.001")) if p < 0.001 else Sentence(N_("p = {value:.3f}"), {"value": p})
    return Sentence(_TRENDS[kind], {"change": abs(trend.change), "p": said})


def worst(voice: Voice) -> Moment | None:
    """The most negative moment of a voice, if it is worth a click."""
    found = paths.worst(voice.path) if voice.path is not None else None
    return found if found and found.score >= NOTABLE else None


_COURSES: dict[Verdict, str] = {
    "improving": N_("the mood improves"),
    "worsening": N_("the mood worsens"),
    "steady": N_("the mood is steady"),
}
_TRENDS = {
    "improving": N_("The mood improves: from beginning to end it gains {change:.2f} on a scale from −1 to 1 ({p})."),
    "worsening": N_("The mood worsens: from beginning to end it loses {change:.2f} on a scale from −1 to 1 ({p})."),
    "steady": N_("The mood is steady: from beginning to end it moves by only {change:.2f} on a scale from −1 to 1."),
    "chance": N_("The mood is steady: that it moves by {change:.2f} from beginning to end may be chance ({p})."),
}


def _voice(store: Store, view: ClipView, segments: NDArray[np.float64] | None, read: Reader) -> Voice:
    newest = view.newest
    windows = reports.window_logits(store, newest.analysis_id) if newest else None
    if newest is None or windows is None:
        return Voice(view, None, segments)
    calibration = read(newest.read_under)
    path = over_time.trajectory(windows.logits, windows.hop_s, windows.length_s, segments, calibration)
    return Voice(view, path, segments, over_time.left_out(calibration, view.domain))


def _talk(found: Sequence[Voice]) -> Talk | None:
    spoken = [voice.segments + voice.view.starts_s for voice in found if voice.segments is not None]
    length_s = max(voice.view.starts_s + voice.view.duration_s for voice in found)
    return talk(spoken, length_s) if len(spoken) == len(found) and length_s > 0 else None


def _sums(path: Trajectory) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Running sums of the scored windows' scores (n + 1, 9), and of their number (n + 1,)."""
    scores = np.where(path.scored[:, None], path.scores, 0)
    return np.pad(scores.cumsum(axis=0), ((1, 0), (0, 0))), np.pad(path.scored.cumsum(), (1, 0))


def _spoken(turn: Turn, voice: Voice, sums: tuple[NDArray[np.float64], NDArray[np.intp]] | None) -> SpokenTurn:
    if voice.path is None or sums is None or not len(voice.path):
        return SpokenTurn(turn, None, None)
    first, last = voice.path.index_at(turn.start_s), voice.path.index_at(turn.end_s)
    total, count = sums[0][last + 1] - sums[0][first], int(sums[1][last + 1] - sums[1][first])
    if not count:
        return SpokenTurn(turn, None, None)
    strongest = int(total.argmax())
    return SpokenTurn(turn, EMOTIONS[strongest], float(total[strongest]) / count)


def _who(view: ClipView, alone: bool) -> Sentence:
    if view.role == "agent":
        return Sentence(N_("The agent"))
    if view.role == "customer":
        return Sentence(N_("The customer"))
    if alone or view.channel_count == 1:
        return Sentence(N_("The voice"))
    return Sentence(N_("The voice on channel {channel}"), {"channel": view.channel + 1})


def _sounds(who: Sentence, scores: EmotionScores) -> Sentence:
    """The same words as `insights.headline`, of somebody."""
    first, second = sorted(EMOTIONS, key=lambda name: -scores[name])[:2]
    high, low = scores[first], scores[second]
    params = {"who": who, "first": BY_NAME[first], "high": 100 * high, "second": BY_NAME[second], "low": 100 * low}
    if high > DOMINANT_ABOVE:
        return Sentence(N_("{who} sounds mostly {first} ({high:.1f} %)"), params)
    if high - low < CLOSE_WITHIN:
        return Sentence(N_("{who} sounds mixed: {first} ({high:.1f} %) and {second} ({low:.1f} %)"), params)
    return Sentence(N_("{who} sounds {first} ({high:.1f} %) more than {second} ({low:.1f} %)"), params)
