"""What a browser is given to play: the kept file where it plays it in step, else a copy that it does, made once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import av

from emostore import access, audio
from emostore.audio.container import DECODING_ERRORS, open_container
from emostore.config import Settings
from emostore.errors import AudioError
from emostore.services.sound import cache, media, opus, peaks
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import clips

ROUTE = "/audio/{sha256}"  # where `emostore.api` serves what is played
PEAKS_ROUTE = ROUTE + "/peaks"  # and its outline, one byte a part: all parts of the first channel, then of the next
ROUTE_IS_SERVED = threading.Event()  # set in a server that has the route; a plain `streamlit run` has not

# By the container and codec of the kept file. What stands here plays by itself in every current browser, and a seek
# lands where it was meant to. MP3 and bare AAC do not stand here: Chromium guesses where a second lies in them by the
# bit rate, and is off by minutes in long files of a variable one. In an MP4 the same packets are found exactly.
_PLAYS = {
    **dict.fromkeys([("wav", codec) for codec in ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le")], "audio/wav"),
    **dict.fromkeys([("ogg", "opus"), ("ogg", "vorbis")], "audio/ogg"),
    **dict.fromkeys([("webm", "opus"), ("webm", "vorbis")], "audio/webm"),
    **dict.fromkeys([(name, "aac") for name in ("mp4", "m4a", "mov")], "audio/mp4"),
    ("flac", "flac"): "audio/flac",
}
_REPACKED = frozenset({"mp3", "aac"})
_COPIES = ("mp4", "opus")  # what is made of files that no browser plays in step
_MP4 = {"movflags": "+faststart", "avoid_negative_ts": "disabled"}  # tables first: sound begins with the first bytes


@dataclass(frozen=True, slots=True)
class Sound:
    """A file that browsers play, and its MIME type."""

    path: Path
    mime_type: str


def limits(settings: Settings) -> audio.Limits:
    """How large a kept recording may be to be read again."""
    return audio.Limits(settings.max_file_bytes, settings.max_duration_s, settings.max_channels)


def is_ready(view: reports.ClipView, settings: Settings) -> bool:
    """Whether `sound` and `outline` have nothing to make first, as for all that was opened once before."""
    if media.find(view.media_path, settings.data_dir) is None:
        return True
    made = [cache.path_of(view.sha256, kind, settings.data_dir) for kind in _COPIES]
    plays = view.media_kind == "opus" or (view.container, view.codec) in _PLAYS or any(path.is_file() for path in made)
    return plays and cache.path_of(view.sha256, peaks.KIND, settings.data_dir).is_file()


def sound(view: reports.ClipView, settings: Settings) -> Sound | None:
    """What plays a clip's recording; None where its audio was not kept. The first call may have to make a copy.

    The packets of MP3 and AAC are put into an MP4, in half a second for an hour; what no browser decodes (AMR,
    WMA, telephone WAV and others) is made into Opus, which takes some 10 s for an hour of each channel.

    Raises `AudioError` if the kept file cannot be decoded, or has too many channels for Opus, and `StoreError` if the
    disk does not take the copy.
    """
    kept = media.find(view.media_path, settings.data_dir)
    if kept is None:
        return None
    if view.media_kind == "opus":
        return Sound(kept, "audio/ogg")
    if (view.container, view.codec) in _PLAYS:
        return Sound(kept, _PLAYS[view.container, view.codec])
    allowed = limits(settings)
    if view.codec in _REPACKED:
        try:
            target = cache.path_of(view.sha256, "mp4", settings.data_dir)
            return Sound(cache.made(target, lambda aside: _repack(kept, aside, allowed)), "audio/mp4")
        except AudioError:
            pass  # damaged packets that a decoder may still skip
    target = cache.path_of(view.sha256, "opus", settings.data_dir)
    made = cache.made(target, lambda aside: opus.encode(kept, aside, allowed, name=view.file_name))
    return Sound(made, "audio/ogg")


def outline(view: reports.ClipView, settings: Settings) -> peaks.Peaks | None:
    """The peaks of a clip's recording; None where its audio was not kept. The first call may have to decode it.

    Raises `AudioError` and `StoreError` as `peaks.load` does.
    """
    kept = media.find(view.media_path, settings.data_dir)
    if kept is None:
        return None
    found = peaks.load(kept, view.sha256, settings.data_dir, limits(settings), name=view.file_name)
    return found.together() if view.channel_count == 1 else found  # two channels may hold one voice


def of_recording(store: Store, sha256: str, settings: Settings) -> Sound | None:
    """What plays the recording with this content; None if there is none, or its audio was not kept.

    Raises `AccessError` unless the current user may read every clip of it: the sound holds all of their voices.
    """
    view = _readable(store, sha256)
    return sound(view, settings) if view else None


def outline_of_recording(store: Store, sha256: str, settings: Settings) -> peaks.Peaks | None:
    """The peaks of the recording with this content; None and `AccessError` as `of_recording` says."""
    view = _readable(store, sha256)
    return outline(view, settings) if view else None


def _readable(store: Store, sha256: str) -> reports.ClipView | None:
    """A clip of the recording, of which the current user may read every one."""
    access.require("read")
    stored = clips.find_recording(store, sha256)
    views = [reports.clip_view(store, clip.clip_id) for clip in stored.clips] if stored else []
    found = [view for view in views if view is not None]
    for view in found:
        access.require("read", view)
    return found[0] if found else None


def _repack(source: Path, target: Path, allowed: audio.Limits) -> None:
    """The packets of a recording in an MP4, whose tables find every one of them; the sound is not touched."""
    try:
        with (
            open_container(source, source.name, allowed) as read,
            av.open(str(target), "w", format="mp4", options=_MP4) as out,
        ):
            stream = read.streams.best("audio") or read.streams.audio[0]
            copy = out.add_stream_from_template(stream)
            # An encoder's delay, which decoders drop: time begins after it, and the MP4's edit list says so.
            delay = stream.start_time or 0
            for packet in read.demux(stream):
                if packet.pts is not None and packet.dts is not None:
                    packet.pts, packet.dts = packet.pts - delay, packet.dts - delay
                    packet.stream = copy
                    out.mux(packet)
    except DECODING_ERRORS as error:
        raise AudioError(
            "{name} could not be prepared for listening: {found}.", name=source.name, found=str(error)
        ) from error
