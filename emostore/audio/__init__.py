"""Recordings in, waveforms out: any file FFmpeg reads, as float32 at 16 kHz, one array a channel."""

from emostore.audio.container import content_hash
from emostore.audio.decoding import decode
from emostore.audio.recording import SAMPLE_RATE, Audio, AudioInfo, FloatArray, Limits, Note
from emostore.audio.sides import fold
from emostore.audio.stream import AudioStream, open_stream

__all__ = [
    "SAMPLE_RATE",
    "Audio",
    "AudioInfo",
    "AudioStream",
    "FloatArray",
    "Limits",
    "Note",
    "content_hash",
    "decode",
    "fold",
    "open_stream",
]
