"""The player on a clip's page: its sound where it was kept, its scores over time, its moments."""

from __future__ import annotations

import streamlit as st
from streamlit import runtime

from emostore.analytics import trajectory as paths
from emostore.analytics.trajectory import NOTABLE, Trajectory
from emostore.errors import EmostoreError
from emostore.services import peaks, playback
from emostore.store import reports
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.player import Marker, Track, player
from emostore.ui.text import _, emotion, explain, role, size

FALLBACK_BYTES = 200 * 1024**2  # Streamlit's own media lie in memory, so no more of a file than this


def show(view: reports.ClipView, *others: reports.ClipView) -> None:
    """The player of a clip, and a word on what of its sound is kept; `others` are further voices of its recording."""
    voices = (view, *others)
    found = [trajectory(voice) for voice in voices]
    sound, outline = _sound(view)
    if sound is None and not any(found):
        return
    player(
        url=_address(view, sound) if sound else None,
        duration_s=outline.duration_s if outline else view.recording_duration_s,
        peaks=outline,
        tracks=[
            Track(role(voice.role), voice.channel, path, voice.newest.missing if voice.newest else ())
            for voice, path in zip(voices, found, strict=True)
        ],
        markers=[marker for track, path in enumerate(found) if path for marker in moments(path, track)],
        start_s=_start_s(),
        key="player",
    )


def trajectory(view: reports.ClipView) -> Trajectory | None:
    """The scores over time of a clip's newest analysis, if it has any."""
    windows = reports.window_logits(open_store(), view.newest.analysis_id) if view.newest else None
    if windows is None:
        return None
    return Trajectory(paths.window_scores(windows.logits), windows.hop_s, windows.length_s)


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
    worst, best = paths.worst(path), paths.best(path)
    if worst and worst.score >= NOTABLE:
        found.append(
            Marker(worst.start_s, "worst", f"{emotion(worst.emotion)} · {worst.score:.3f}", track, worst.emotion)
        )
    if best and best.score >= NOTABLE:
        found.append(Marker(best.start_s, "best", f"{emotion(best.emotion)} · {best.score:.3f}", track, best.emotion))
    return found


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
    if not runtime.exists():
        return None
    media = runtime.get_instance().media_file_mgr
    return media.add(str(sound.path), sound.mime_type, f"emostore-player-{view.sha256}")


def _start_s() -> float | None:
    """The second that the address names (`?t=`), so that a link leads to a moment."""
    try:
        asked = float(st.query_params.get("t", ""))
    except ValueError:
        return None
    return asked if 0 <= asked < float("inf") else None
