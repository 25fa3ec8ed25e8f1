"""The player: sound, waveform, scores over time and a playhead that moves through all of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import streamlit as st

from emostore.analytics.trajectory import NEGATIVE, POSITIVE, Trajectory
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.services.sound.peaks import Peaks
from emostore.ui.text import _, emotion

HERE = Path(__file__).parent
WAVESURFER = HERE.parents[1] / "assets" / "player" / "wavesurfer-8.0.1.min.js"
OVERVIEW = 8192  # parts of the outline that come at once, a voice: two for each pixel of a very wide screen
_FULL = np.iinfo(np.uint16).max  # what a score of 1 is in the browser

Kind = Literal["alert", "worst", "best", "label", "change"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # the most urgent first


@dataclass(frozen=True, slots=True)
class Track:
    """One voice: its name, its channel in the peaks (None: no waveform), its scores over time and those never given."""

    name: str
    channel: int | None
    trajectory: Trajectory | None
    missing: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment to go to, in the voice `track`; with an `emotion` its sign has that colour."""

    at_s: float
    kind: Kind
    text: str
    track: int = 0
    emotion: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A turn of the voice `track`, in seconds of the recording, with its strongest emotion if that is known."""

    start_s: float
    end_s: float
    track: int
    emotion: str | None = None
    score: float | None = None


# One string, so that the browser fetches nothing: the library leaves `WaveSurfer` behind, and the last file exports.
_component = st.components.v2.component(
    "emostore_player",
    html=(HERE / "player.html").read_text(encoding="utf-8"),
    css=(HERE / "player.css").read_text(encoding="utf-8"),
    js="\n".join(path.read_text(encoding="utf-8") for path in (WAVESURFER, HERE / "timeline.js", HERE / "player.js")),
)


def player(
    *,
    url: str | None,
    duration_s: float,
    peaks: Peaks | None,
    detail_url: str | None = None,
    tracks: Sequence[Track],
    markers: Sequence[Marker] = (),
    turns: Sequence[Stretch] = (),
    start_s: float | None = None,
    recording: str = "",
    key: str,
) -> None:
    """Show the player.

    Parameters
    ----------
    url : where the sound is; without it, the player shows what there is, and its playhead is moved by hand
    duration_s : the length of the recording
    peaks : the outline of its sound; without it no waveform is drawn
    detail_url : where a browser that zooms in finds all of `peaks.levels`, as bytes; without it, it has `OVERVIEW`
    tracks : the voices, from top to bottom
    markers : moments, in any order; they are listed by kind, so that many changes hide nothing, and then by time
    turns : who spoke when, in the order of time, as a table in which each leads to its sound
    start_s : where the playhead goes when this value changes
    recording : what an address calls this recording, so that links to a moment of it lead there by themselves
    key : unique on the page
    """
    rows = [track.channel for track in tracks if track.channel is not None] if peaks else []
    levels = peaks.thinned(OVERVIEW).levels[rows] if peaks else np.empty((0, 0), np.uint8)
    voices = [_voice(track) for track in tracks]
    outline = [_packed(row) for row in levels]
    _component(
        data={
            "identity": _identity(url, duration_s, outline, voices),
            "url": url,
            "duration_s": max(duration_s, 1e-3),
            "peaks": outline,
            "detail": _detail(peaks, rows, detail_url),
            "tracks": voices,
            "names": [track.name for track in tracks],
            "wave_names": [track.name for track in tracks if track.channel is not None] if peaks else [],
            "emotions": [
                {"label": emotion(name), "color": BY_NAME[name].color, "moved": name in (*POSITIVE, *NEGATIVE)}
                for name in EMOTIONS
            ],
            "markers": [_moment(marker) for marker in sorted(markers, key=_rank)],
            "turns": [_turn(stretch) for stretch in turns],
            "start_s": start_s,
            "recording": recording,
            "words": _words(),
        },
        key=key,
    )


def _detail(peaks: Peaks | None, rows: list[int], url: str | None) -> dict[str, Any] | None:
    """Where there is more of the outline than comes at once, and which of its channels are drawn."""
    if peaks is None or url is None or peaks.levels.shape[1] <= OVERVIEW:
        return None
    return {"url": url, "channels": len(peaks.levels), "rows": rows}


def _identity(*parts: object) -> str:
    """Tells the browser whether it has these sounds and scores already, and may go on playing."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _rank(marker: Marker) -> tuple[int, float]:
    return KINDS.index(marker.kind), marker.at_s


def _voice(track: Track) -> dict[str, Any]:
    path = track.trajectory
    scores = np.where(path.scored[:, None], path.scores, 0) if path else np.empty((0, len(EMOTIONS)))
    return {
        "scores": _packed(np.round(scores * _FULL).astype("<u2")),
        "scored": _packed(path.scored.astype(np.uint8)) if path else "",
        "hop_s": path.hop_s if path else 1.0,
        "length_s": path.length_s if path else 1.0,
        "missing": [EMOTIONS.index(name) for name in track.missing],
    }


def _moment(marker: Marker) -> dict[str, Any]:
    color = BY_NAME[marker.emotion].color if marker.emotion else None
    return {"at_s": marker.at_s, "kind": marker.kind, "text": marker.text, "track": marker.track, "color": color}


def _turn(stretch: Stretch) -> list[float | int | None]:
    emotion_index = EMOTIONS.index(stretch.emotion) if stretch.emotion else None
    return [round(stretch.start_s, 3), round(stretch.end_s, 3), stretch.track, emotion_index, stretch.score]


def _packed(values: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _words() -> dict[str, Any]:
    """What the player says, in the reader's language; fields in braces are filled in by the browser."""
    return {
        "play": _("Play"),
        "pause": _("Pause"),
        "speed": _("Speed"),
        "zoom_in": _("Zoom in"),
        "zoom_out": _("Zoom out"),
        "position": _("Position in the recording"),
        "readout": _("Scores at the playhead: {name}", name="{name}"),
        "where": _("{time} of {total}", time="{time}", total="{total}"),
        "heard": _("{emotion} {score}", emotion="{emotion}", score="{score}"),
        "nobody": _("nobody speaks"),
        "keys": _("Space plays, ← and → go 5 s (with Shift 1 s), + and − zoom; a click goes there."),
        "keys_silent": _("← and → go 5 s (with Shift 1 s), + and − zoom; a click goes there."),
        "failed": _(
            "The sound cannot be played. Load the page again; if that does not help, the kept file is damaged."
        ),
        "thinned": _("So far zoomed out, a column shows the mean of its time, and a line in it the highest moment."),
        "moments": _("Moments"),
        "turns": _("Turns"),
        "columns": [_("From"), _("To"), _("Voice"), _("Emotion")],
        "kinds": {
            "alert": _("Alert"),
            "change": _("Change"),
            "label": _("Label"),
            "worst": _("Most negative"),
            "best": _("Most positive"),
        },
    }
