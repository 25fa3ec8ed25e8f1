"""Columns of numbers as PostgreSQL takes them: NumPy arrays, each one parameter, without a look at every number.

Text would be written by one side and read by the other number by number, which takes longer than inserting the rows.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format
from typing_extensions import override

_EPOCH = np.datetime64("2000-01-01", "D")  # from which PostgreSQL counts days
# https://www.postgresql.org/docs/current/catalog-pg-type.html: what the elements are, and how they are sent.
_BIGINT, _DOUBLE, _DATE = (20, ">i8"), (701, ">f8"), (1082, ">i4")


class ArrayDumper(Dumper):
    """Arrays of shape (n,): int64 as `bigint[]`, float64 as `double precision[]`, datetime64[D] as `date[]`.

    The statement says which one it is (`%s::bigint[]`). Raises `TypeError` for another type or shape.
    """

    format = Format.BINARY

    @override
    def dump(self, obj: NDArray[Any]) -> bytes:
        if obj.dtype == np.int64:
            (element, kind), values = _BIGINT, obj
        elif obj.dtype == np.float64:
            (element, kind), values = _DOUBLE, obj
        elif obj.dtype == np.dtype("datetime64[D]"):
            (element, kind), values = _DATE, (obj - _EPOCH).astype(np.int64)
        else:
            raise TypeError(f"expected int64, float64 or datetime64[D], got {obj.dtype}")
        if obj.ndim != 1:
            raise TypeError(f"expected one dimension, got {obj.ndim}")
        size = np.dtype(kind).itemsize
        body = np.empty(len(values), [("size", ">i4"), ("value", kind)])
        body["size"], body["value"] = size, values
        # One dimension, nothing missing, counted from 1 (`array_send` of PostgreSQL's arrayfuncs.c).
        return struct.pack("!iiIii", 1, 0, element, len(values), 1) + body.tobytes()
