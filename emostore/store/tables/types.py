"""Column types: values are converted here, at the database boundary, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import DateTime, Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

from emostore.emotions import EMOTIONS

SEGMENT_BYTES = 16  # two float64


class UtcDateTime(TypeDecorator[datetime]):
    """An aware `datetime`, stored as UTC and returned in UTC by both databases.

    Raises `ValueError` for a naive one: whose midnight it means is not known.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"a stored time needs a time zone, got {value!r}")
        utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        # SQLite keeps text without a zone; all of it in UTC sorts in the order of time.
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _ArrayType(TypeDecorator[NDArray[Any]]):
    """Arrays compare as wholes; NumPy's own `==` answers element by element."""

    impl = LargeBinary
    cache_ok = True

    @override
    def compare_values(self, x: Any, y: Any) -> bool:
        return x is y or (x is not None and y is not None and np.array_equal(x, y))


class Logits(_ArrayType):
    """Nine logits, float32 of shape (9,), as 36 bytes, little-endian; read-only when loaded."""

    cache_ok = True

    @override
    def process_bind_param(self, value: NDArray[Any] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else _shaped(value, (len(EMOTIONS),)).astype("<f4").tobytes()

    @override
    def process_result_value(self, value: bytes | None, dialect: Dialect) -> NDArray[np.float32] | None:
        return None if value is None else np.frombuffer(value, "<f4")


class WindowLogits(_ArrayType):
    """Logits of shape (windows, 9), as 18 bytes a row: float16, little-endian; read-only when loaded."""

    cache_ok = True

    @override
    def process_bind_param(self, value: NDArray[Any] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else _shaped(value, (len(value), len(EMOTIONS))).astype("<f2").tobytes()

    @override
    def process_result_value(self, value: bytes | None, dialect: Dialect) -> NDArray[np.float16] | None:
        return None if value is None else np.frombuffer(value, "<f2").reshape(-1, len(EMOTIONS))


class Segments(_ArrayType):
    """Stretches of time, float64 of shape (n, 2) in seconds, as 16 bytes each, little-endian; read-only when loaded."""

    cache_ok = True

    @override
    def process_bind_param(self, value: NDArray[Any] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else _shaped(value, (len(value), 2)).astype("<f8").tobytes()

    @override
    def process_result_value(self, value: bytes | None, dialect: Dialect) -> NDArray[np.float64] | None:
        return None if value is None else np.frombuffer(value, "<f8").reshape(-1, 2)


class EmbeddingVector(_ArrayType):
    """An embedding, float16 of shape (dim,): bytes on SQLite, pgvector's `halfvec` on PostgreSQL."""

    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_BinaryHalfVec() if dialect.name == "postgresql" else LargeBinary())

    @override
    def process_bind_param(self, value: NDArray[Any] | None, dialect: Dialect) -> bytes | HalfVector | None:
        if value is None:
            return None
        half = _shaped(value, (len(value),)).astype("<f2")
        return HalfVector(half) if dialect.name == "postgresql" else half.tobytes()

    @override
    def process_result_value(self, value: bytes | str | None, dialect: Dialect) -> NDArray[np.float16] | None:
        if isinstance(value, str):  # "[1.5,-2]": psycopg does not know the extension's type
            return np.array(value[1:-1].split(","), np.float16)
        return None if value is None else np.frombuffer(value, "<f2")


class _BinaryHalfVec(HALFVEC):
    """`halfvec` that leaves the value to psycopg's dumper (see `store.session`).

    pgvector's own type sends text, which for 1,024 numbers takes longer than the rest of the insert.
    """

    cache_ok = True

    @override
    def bind_processor(self, dialect: Dialect) -> None:
        return None

    @override
    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return None


def _shaped(value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if np.shape(value) != shape:
        raise ValueError(f"expected an array of shape {shape}, got {np.shape(value)}")
    return value
