"""What a file says of itself."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

EARLIEST_YEAR = 1990  # before it, a timestamp is a clock that was never set (1904, 1970, 1980)

# Containers whose header holds an exact duration; in others FFmpeg guesses it from the bit rate.
EXACT_CONTAINERS = frozenset({"wav", "w64", "aiff", "caf", "flac", "mov", "matroska", "asf", "avi"})


def recorded_at(metadata: dict[str, str], *, now: datetime | None = None) -> datetime | None:
    """When the file says it was recorded, in UTC; None unless the time is full, zoned and plausible."""
    latest = (now or datetime.now(UTC)) + timedelta(days=1)
    lowered = {key.lower(): value for key, value in metadata.items()}
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date"):
        with contextlib.suppress(ValueError, OverflowError):
            time = datetime.fromisoformat(lowered.get(key, "").strip())
            if time.tzinfo and time.year >= EARLIEST_YEAR and time <= latest:
                return time.astimezone(UTC)
    return None


def declared_s(container: InputContainer, stream: AudioStream) -> float | None:
    """The duration in the header, in seconds; None where it is missing or FFmpeg would only guess it."""
    if container.format.name.split(",")[0] not in EXACT_CONTAINERS:
        return None
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else None
