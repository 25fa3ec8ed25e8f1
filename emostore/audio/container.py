"""Opening files from strangers: FFmpeg gets the bytes of one file and nothing else to read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from emostore.audio.recording import Limits
from emostore.audio.wav import read_header
from emostore.errors import AudioError
from emostore.i18n import N_

READ_SIZE = 1 << 20  # bytes; of hashing
BUFFER_SIZE = 1 << 17  # bytes; FFmpeg's reads, so that Python is entered rarely
PROBE_BYTES = 5_000_000  # how much of a file FFmpeg may read to find its streams
PROBE_US = 10_000_000  # microseconds of sound likewise

MIN_TEXT_BYTES = 16  # of printable characters, before a file is called text

# Everything PyAV and FFmpeg raise on bad bytes; `FFmpegError` alone would miss what is raised while
# metadata is read (UnicodeDecodeError), where a stream is missing (IndexError) or formats disagree.
DECODING_ERRORS = (av.FFmpegError, OSError, ValueError, EOFError, LookupError, RuntimeError, MemoryError)

# Demuxers that open further files or addresses, render text as pictures and sound, read devices, or
# take any bytes whatever for samples. FFmpeg tests the name before the demuxer reads a header.
REFUSED_DEMUXERS = frozenset(
    {
        *("concat", "dash", "hls", "image2", "image2pipe", "imf", "rtp", "rtsp", "sap", "sdp", "vobsub"),
        *("webm_dash_manifest", "mpjpeg", "rcwt", "ffmetadata", "lavfi", "libopenmpt", "tedcaptions"),
        *("adf", "bin", "idf", "tty", "txd", "xbin", "data", "sbg", "s337m"),
        *("alsa", "fbdev", "kmsgrab", "oss", "pulse", "sndio", "v4l2", "video4linux2", "x11grab", "iec61883"),
    }
)

_KINDS_OF_FILE = (
    (b"\x89PNG", N_("{name} is a picture (PNG), not a recording. Choose an audio or video file.")),
    (b"\xff\xd8\xff", N_("{name} is a picture (JPEG), not a recording. Choose an audio or video file.")),
    (b"GIF8", N_("{name} is a picture (GIF), not a recording. Choose an audio or video file.")),
    (b"%PDF", N_("{name} is a PDF document, not a recording. Choose an audio or video file.")),
    (b"PK\x03\x04", N_("{name} is a ZIP archive or an office document, not a recording. Unpack it first.")),
    (b"\x1f\x8b", N_("{name} is compressed with gzip. Unpack it first.")),
    (b"#EXTM3U", N_("{name} is a playlist, not a recording. Choose the audio files that it names.")),
    (b"ffconcat", N_("{name} is a playlist, not a recording. Choose the audio files that it names.")),
)


@lru_cache(maxsize=1)
def allowed_demuxers() -> str:
    """FFmpeg's demuxers without the refused ones, as its option `format_whitelist` wants them."""
    allowed = []
    for name in sorted(av.formats_available):
        with contextlib.suppress(ValueError):  # a name that only writes
            reads_files = not av.ContainerFormat(name, "r").flags & 1  # AVFMT_NOFILE: devices and the network
            if reads_files and not REFUSED_DEMUXERS & set(name.split(",")):
                allowed.append(name)
    return ",".join(allowed)


class BoundedReader(io.RawIOBase):
    """A file that ends where it grows past the byte limit or cannot be read; `check` then raises.

    It has no `name`, so that FFmpeg judges a file by its bytes and never by its extension. Its methods
    raise nothing themselves: FFmpeg calls them, and PyAV would print what it cannot hand on.
    """

    def __init__(self, file: BinaryIO, name: str, max_bytes: int) -> None:
        super().__init__()
        self._file, self._name, self._max_bytes = file, name, max_bytes
        self._failure: AudioError | None = None

    def read(self, size: int = -1, /) -> bytes:  # noqa: D102
        try:
            data = self._file.read(size)
            if data:  # past the end, where a damaged header may point, nothing is read and nothing is over
                check_size(self._name, self._file.tell(), self._max_bytes)
        except OSError as error:
            self._failure = unreadable(self._name, error)
        except AudioError as error:
            self._failure = error
        else:
            return data
        return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:  # noqa: D102
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1  # FFmpeg's sign of failure, for a place that no file has

    def check(self) -> None:
        """Raise `AudioError` if the reading was ended."""
        if self._failure is not None:
            raise self._failure

    def tell(self) -> int:  # noqa: D102
        return self._file.tell()

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True


def check_size(name: str, found: int, allowed: int) -> None:
    """Raise `AudioError` if a file of `found` bytes is over the limit."""
    if found > allowed:
        raise AudioError(
            "{name} has {found:,} bytes or more; at most {allowed:,} are accepted. "
            "Split the recording, save it in a compressed format, or raise the limit in the settings.",
            name=name,
            found=found,
            allowed=allowed,
        )


@contextlib.contextmanager
def open_container(path: Path, name: str, limits: Limits) -> Iterator[InputContainer]:
    """Open a file for reading as sound.

    Parameters
    ----------
    path : the file
    name : what the user calls it, for messages
    limits : only `max_bytes` matters here

    Raises
    ------
    AudioError : the file cannot be read, is empty or over the byte limit, or is no sound or video file
    """
    with _open_regular(path, name, limits) as file:
        _refuse_known_kinds(file, name)
        header = read_header(file)
        file.seek(0)
        reader = BoundedReader(file, name, limits.max_bytes)
        try:
            container = av.open(
                reader,
                mode="r",
                container_options={
                    "format_whitelist": allowed_demuxers(),
                    "protocol_whitelist": "none",  # no such protocol: nothing else can be opened
                    "probesize": str(PROBE_BYTES),
                    "analyzeduration": str(PROBE_US),
                    **({"ignore_length": "1"} if header and header.rest_s else {}),
                },
                metadata_errors="ignore",
                buffer_size=BUFFER_SIZE,
            )
        except DECODING_ERRORS as error:
            reader.check()
            raise _not_a_recording(file, name) from error
        try:
            with container:
                yield container
        finally:
            reader.check()


def content_hash(path: Path | str, limits: Limits | None = None, *, name: str | None = None) -> str:
    """SHA-256 of a file's bytes in hex: what identifies a recording.

    Raises `AudioError` under `name` (by default the file's own) if it is unreadable, empty or over the limit.
    """
    path = Path(path)
    name = name or path.name
    digest = hashlib.sha256()
    try:
        with _open_regular(path, name, limits or Limits()) as file:
            while block := file.read(READ_SIZE):
                digest.update(block)
    except OSError as error:
        raise unreadable(name, error) from error
    return digest.hexdigest()


@contextlib.contextmanager
def _open_regular(path: Path, name: str, limits: Limits) -> Iterator[BinaryIO]:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
        file = open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")  # noqa: SIM115
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise unreadable(name, error) from error
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise AudioError("{name} is not a file. Choose a recording.", name=name)
        if status.st_size == 0:
            raise AudioError("{name} is empty (0 bytes). Export or copy the recording again.", name=name, found=0)
        check_size(name, status.st_size, limits.max_bytes)
        yield file


def unreadable(name: str, error: Exception) -> AudioError:
    """The sentence for a file that the system does not give."""
    reason = getattr(error, "strerror", None) or str(error)
    return AudioError("{name} could not be read: {found}. Check the file and its permissions.", name=name, found=reason)


def _refuse_known_kinds(file: BinaryIO, name: str) -> None:
    head = file.read(16)
    file.seek(0)
    for magic, message in _KINDS_OF_FILE:
        if head.startswith(magic):
            raise AudioError(message, name=name)


def _not_a_recording(file: BinaryIO, name: str) -> AudioError:
    """The sentence for bytes that FFmpeg does not take."""
    file.seek(0)
    head = file.read(1024)
    if len(head) >= MIN_TEXT_BYTES and not set(head) - set(range(32, 127)) - set(b"\t\r\n\f"):
        return AudioError("{name} is a text file, not a recording. Choose an audio or video file.", name=name)
    size = os.fstat(file.fileno()).st_size
    return AudioError(
        "No sound or video format was recognised in {name} ({found:,} bytes): it is damaged, cut off, or raw samples "
        "without a header. Export it again, for example as WAV, FLAC, MP3 or M4A.",
        name=name,
        found=size,
    )
