"""The player of a stored recording: its sound where it was kept, its voices over time, its moments and turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st
from streamlit import runtime

from emostore.analytics import trajectory as paths
from emostore.analytics.trajectory import NOTABLE, Moment, Trajectory
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services.calibration import labelling
from emostore.services.sound import peaks, playback
from emostore.services.views import session_view
from emostore.services.views.session_view import Voice
from emostore.store.reports import alert_reports, reports
from emostore.ui.alerts import alert_rules
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.label import labels
from emostore.ui.player import Kind, Marker, Stretch, Track, player
from emostore.ui.text import _, emotion, explain, size

FALLBACK_BYTES = 200 * 1024**2  # Streamlit's own media lie in memory, so no more of a file than this


@contextmanager
def shown(voices: Sequence[Voice], names: Sequence[str]) -> Iterator[None]:
    """The player of one recording's voices, each called by its name, and a word on what of its sound is kept.

    It stands above what the block draws and comes first, unless its sound has to be prepared: then the block does not
    wait for it.
    """
    place, ready = st.container(), playback.is_ready(voices[0].view, in_force())
    if ready:
        with place:
            _show(voices, names)
    yield
    if not ready:
        with place:
            _show(voices, names)


def _show(voices: Sequence[Voice], names: Sequence[str]) -> None:
    view = voices[0].view
    sound, outline = _sound(view)
    if sound is None and not any(voice.path for voice in voices):
        return
    player(
        url=_address(view, sound) if sound else None,
        duration_s=outline.duration_s if outline else view.recording_duration_s,
        peaks=outline,
        detail_url=_detail(view, outline) if outline else None,
        tracks=[
            Track(name, voice.view.channel, voice.path, voice.view.newest.missing if voice.view.newest else ())
            for voice, name in zip(voices, names, strict=True)
        ],
        markers=[
            marker
            for track, voice in enumerate(voices)
            for marker in (
                *alerts(voice.view, track),
                *labelled(voice.view, track),
                *(moments(voice.path, track) if voice.path else ()),
            )
        ],
        turns=[
            Stretch(each.turn.start_s, each.turn.end_s, each.turn.side, each.emotion, each.score)
            for each in session_view.spoken_turns(voices)
        ],
        start_s=_start_s(),
        recording=str(view.recording_id),
        key="player",
    )
    for left_out in dict.fromkeys(explain(voice.left_out) for voice in voices if voice.left_out):
        st.caption(left_out)


def moments(path: Trajectory, track: int = 0) -> list[Marker]:
    """Where to listen: the clear changes, and the worst and the best moment if they are worth it."""
    found = [
        Marker(
            path.boundary_s(change.index),
            "change",
            f"{emotion(change.before)} → {emotion(change.after)}",
            track,
            change.after,
        )
        for change in paths.clear_changes(path)
    ]
    if len(path) > 1:  # of one, the clip's own scores tell all
        strongest: tuple[tuple[Kind, Moment | None], ...] = (("worst", paths.worst(path)), ("best", paths.best(path)))
        for kind, moment in strongest:
            if moment and moment.score >= NOTABLE:
                about = _("{score:.3f}, above all {emotion}", score=moment.score, emotion=emotion(moment.emotion))
                found.append(Marker(moment.start_s, kind, about, track, moment.emotion))
    return found


def alerts(view: reports.ClipView, track: int = 0) -> list[Marker]:
    """The moments of a clip's newest analysis for which an alert was raised that is no false alarm."""
    newest = view.newest.analysis_id if view.newest else None
    return [
        Marker(each.start_s, "alert", f"{alert_rules.shown_name(each.rule)} · {each.value:.3f}", track)
        for each in alert_reports.of_clip(open_store(), view.clip_id)
        if each.start_s is not None and each.analysis_id == newest and each.state != "false_alarm"
    ]


def labelled(view: reports.ClipView, track: int = 0) -> list[Marker]:
    """What the reader has said of the clip: of all of it, so it stands at the beginning."""
    mine = labelling.mine(open_store(), view.clip_id)
    if mine is None:
        return []
    heard = mine.label.emotion
    return [Marker(0.0, "label", labels.name(heard), track, heard if heard in EMOTIONS else None)]


def _sound(view: reports.ClipView) -> tuple[playback.Sound | None, peaks.Peaks | None]:
    """What is played and its outline; the reader is told what is kept, or why nothing can be heard."""
    config = in_force()
    try:
        with st.spinner(_("Preparing the sound …"), show_time=True):
            sound, outline = playback.sound(view, config), playback.outline(view, config)
    except EmostoreError as error:
        st.warning(explain(error), icon=":material/volume_off:")
        return None, None
    if sound is None:
        st.caption(_("The audio of this recording was not kept."))
    elif view.media_kind == "opus":
        st.caption(_("Of the audio, an Opus copy is kept."))
    else:
        st.caption(_("The audio is kept as it was uploaded."))
    return sound, outline


def _address(view: reports.ClipView, sound: playback.Sound) -> str | None:
    """Where the browser finds the sound: our own route, or Streamlit's media where the route is not served."""
    if playback.ROUTE_IS_SERVED.is_set():
        return playback.ROUTE.format(sha256=view.sha256)
    byte_count = sound.path.stat().st_size
    if byte_count > FALLBACK_BYTES:
        st.info(
            _(
                "This recording takes {found}; started by `streamlit run`, the app plays up to {allowed}. "
                "Start it with `make run`, which has no such limit.",
                found=size(byte_count),
                allowed=size(FALLBACK_BYTES),
            )
        )
        return None
    return _medium(str(sound.path), sound.mime_type, f"emostore-player-{view.sha256}")


def _detail(view: reports.ClipView, outline: peaks.Peaks) -> str | None:
    """Where the browser finds the whole outline; as with the sound."""
    if playback.ROUTE_IS_SERVED.is_set():
        return playback.PEAKS_ROUTE.format(sha256=view.sha256)
    return _medium(outline.levels.tobytes(), "application/octet-stream", f"emostore-peaks-{view.sha256}")


def _medium(source: str | bytes, mime_type: str, name: str) -> str | None:
    """The address under which Streamlit serves a file or bytes; None where it does not run."""
    return runtime.get_instance().media_file_mgr.add(source, mime_type, name) if runtime.exists() else None


def _start_s() -> float | None:
    """The second that the address names (`?t=`), so that a link leads to a moment."""
    try:
        asked = float(st.query_params.get("t", ""))
    except ValueError:
        return None
    return asked if 0 <= asked < float("inf") else None
