"""Decoding block by block, in bounded memory, with the limits enforced as the sound appears."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePath

import av
import numpy as np
from av.audio.stream import AudioStream as AvStream
from av.container import InputContainer
from av.stream import Discard

from emostore.audio.container import DECODING_ERRORS, open_container
from emostore.audio.description import declared_s, recorded_at
from emostore.audio.losses import Losses
from emostore.audio.recording import SAMPLE_RATE, AudioInfo, FloatArray, Limits, Note
from emostore.audio.samples import Resampler, sanitise, to_float
from emostore.audio.wav import WavHeader, header_of
from emostore.errors import AudioError

BLOCK_S = 2.0  # seconds of sound that are resampled and handed on at a time
RATES = (1_000, 768_000)  # Hz; outside, it is a damaged header, and the resampler's filter would grow without bound
MAX_FRUITLESS_PACKETS = 2_000  # in a row, without a sample: the decoder will not recover


class AudioStream:
    """A recording that is being decoded: iterate over it once for float32 blocks (channels, n) at 16 kHz.

    `info.duration_s` and `notes` grow while the blocks come, and are complete after the last one.
    """

    def __init__(self, container: InputContainer, name: str, limits: Limits, header: WavHeader | None = None) -> None:
        self._container, self._name, self._limits, self._header = container, name, limits, header
        self._losses = Losses(name)
        self._samples_out = 0
        self._stream = self._choose_stream()
        self._frames = self._decoded_frames()
        first = self._first_frame()
        self._info = self._describe(first)
        self._frames = chain([first] if first else [], self._frames)
        for kind, note in header.notes if header else ():
            self._losses.note(kind, note)

    @property
    def info(self) -> AudioInfo:
        """The description, with the duration decoded so far."""
        return replace(self._info, duration_s=self._samples_out / SAMPLE_RATE)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was lost or mended so far."""
        return self._losses.notes

    def __iter__(self) -> Iterator[FloatArray]:
        with _named_errors(self._name):  # an error of the caller's loop never comes in here
            for block in self._resampled():
                self._samples_out += block.shape[1]
                self._check_duration()
                if block.shape[1]:
                    yield block
            self._losses.finish(self.info)

    def _check_duration(self) -> None:
        if self._samples_out > self._limits.max_duration_s * SAMPLE_RATE:
            raise AudioError(
                "{name} is longer than {allowed_s:,.0f} s, the longest recording that is accepted. "
                "Split it, or raise the limit in the settings.",
                name=self._name,
                allowed_s=self._limits.max_duration_s,
                found=self._samples_out / SAMPLE_RATE,
            )

    def _choose_stream(self) -> AvStream:
        streams = self._container.streams
        if not streams.audio:
            kinds = ", ".join(sorted({stream.type for stream in streams})) or "nothing"
            raise AudioError(
                "{name} has no sound in it, only {found}. Choose a recording with sound.", name=self._name, found=kinds
            )
        chosen = streams.best("audio") or streams.audio[0]
        assert isinstance(chosen, AvStream)
        if len(streams.audio) > 1:
            self._losses.note(
                "streams",
                Note(
                    "The file has {found} sound tracks; track {chosen} was used.",
                    {"found": len(streams.audio), "chosen": 1 + streams.audio.index(chosen)},
                ),
            )
        for stream in streams:
            if stream.index != chosen.index:
                stream.discard = Discard.all  # pictures need not be read
        if chosen.codec_context is None:
            raise AudioError(
                "The sound in {name} is coded in a way that cannot be decoded here. Convert it to WAV, FLAC or MP3.",
                name=self._name,
            )
        return chosen

    def _first_frame(self) -> av.AudioFrame | None:
        first = next(self._frames, None)
        declared = self._declared_s()
        if first is None and (self._losses.bad_packets or not declared or not self._stream.codec_context.channels):
            self._losses.check()
            raise AudioError(
                "{name} holds a header and no sound after it (0 s). Record or export it again.",
                name=self._name,
                found=0,
            )
        return first

    def _describe(self, first: av.AudioFrame | None) -> AudioInfo:
        context = self._stream.codec_context
        container = self._container.format.name.split(",")
        suffix = PurePath(self._name).suffix.lower().lstrip(".")
        channels = len(first.layout.channels) if first else context.channels
        rate = first.sample_rate if first else context.sample_rate
        self._check_shape(rate, channels)
        return AudioInfo(
            container=suffix if suffix in container else container[0],
            codec=context.codec.canonical_name,
            sample_rate=rate,
            channels=channels,
            duration_s=0.0,
            declared_s=self._declared_s(),
            recorded_at=recorded_at({**self._stream.metadata, **self._container.metadata}),
        )

    def _declared_s(self) -> float | None:
        if self._header:  # FFmpeg tells what is there instead
            return self._header.declared_s
        return declared_s(self._container, self._stream)

    def _check_shape(self, rate: int, channels: int) -> None:
        if not 1 <= channels <= self._limits.max_channels:
            raise AudioError(
                "{name} has {found} channels; 1 to {allowed} are accepted. "
                "Export the channels that hold speech, or raise the limit in the settings.",
                name=self._name,
                found=channels,
                allowed=self._limits.max_channels,
            )
        if not RATES[0] <= rate <= RATES[1]:
            raise AudioError(
                "{name} states a sample rate of {found:,} Hz; {lowest:,} to {highest:,} Hz are accepted. "
                "Its header is damaged: export the recording again.",
                name=self._name,
                found=rate,
                lowest=RATES[0],
                highest=RATES[1],
            )

    def _decoded_frames(self) -> Iterator[av.AudioFrame]:
        """Every frame that can be decoded; damaged packets are counted and skipped."""
        fruitless = 0
        context = self._stream.codec_context
        try:
            for packet in self._container.demux(self._stream):
                frames: list[av.AudioFrame] = []
                try:
                    frames = packet.decode()
                except EOFError:
                    break
                except DECODING_ERRORS:
                    self._losses.bad_packets += 1
                self._losses.packets += 1
                frames = [frame for frame in frames if frame.samples and frame.sample_rate]
                fruitless = 0 if frames else fruitless + 1
                yield from frames
                if fruitless >= MAX_FRUITLESS_PACKETS:
                    self._losses.bad_packets += 1
                    break
        except AudioError:
            raise  # the byte limit
        except DECODING_ERRORS:
            self._losses.bad_packets += 1
            with contextlib.suppress(*DECODING_ERRORS):
                yield from context.decode(None)

    def _resampled(self) -> Iterator[FloatArray]:
        """Blocks of about `BLOCK_S`; where the rate changes in the middle, a new resampler goes on."""
        resampler = Resampler(self._info.sample_rate, self._info.channels)
        pending: list[FloatArray] = []
        count = 0
        for frame in self._frames:
            rate = frame.sample_rate
            if rate != resampler.rate:
                self._check_shape(rate, self._info.channels)
                self._losses.note("rate", Note("The sample rate changes inside the recording; it was followed."))
                yield from self._converted(resampler, pending)
                yield resampler.flush()
                resampler, pending, count = Resampler(rate, self._info.channels), [], 0
            pending.append(self._same_channels(to_float(frame)))
            count += pending[-1].shape[1]
            if count >= BLOCK_S * rate:
                yield from self._converted(resampler, pending)
                pending, count = [], 0
        yield from self._converted(resampler, pending)
        yield resampler.flush()

    def _converted(self, resampler: Resampler, pending: list[FloatArray]) -> Iterator[FloatArray]:
        if pending:
            block, bad = sanitise(np.concatenate(pending, axis=1))
            self._losses.count(block, bad)
            yield resampler.push(block)

    def _same_channels(self, samples: FloatArray) -> FloatArray:
        """Keep the number of channels that the recording began with: another one is mixed down and repeated."""
        channels = self._info.channels
        if samples.shape[0] == channels:
            return samples
        self._losses.note(
            "channels",
            Note(
                "The number of channels changes inside the recording from {channels} to {found}; "
                "such parts were mixed to one and put on every channel.",
                {"channels": channels, "found": samples.shape[0]},
            ),
        )
        return np.broadcast_to(samples.mean(axis=0, dtype=np.float32), (channels, samples.shape[1]))


@contextlib.contextmanager
def open_stream(path: Path | str, limits: Limits | None = None, *, name: str | None = None) -> Iterator[AudioStream]:
    """Open a recording for decoding block by block.

    Parameters
    ----------
    path : the file
    limits : how large it may be, by default as in `Limits`
    name : what messages call the file, by default its own name

    Raises
    ------
    AudioError : at opening or from the iteration, if the file cannot be decoded or is over a limit
    """
    path = Path(path)
    name, limits = name or path.name, limits or Limits()
    with open_container(path, name, limits) as container:
        with _named_errors(name):
            stream = AudioStream(container, name, limits, header_of(path))
        yield stream


@contextlib.contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Whatever decoding raises, as an `AudioError`."""
    try:
        yield
    except AudioError:
        raise
    except DECODING_ERRORS as error:
        found = getattr(error, "strerror", None) or str(error)
        raise AudioError(
            "{name} could not be decoded: {found}. Export the recording again.", name=name, found=found
        ) from error
