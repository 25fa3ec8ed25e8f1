"""Bytes that anybody may have written into values: every bound is checked before what it bounds is built.

Whatever the bytes are, each reader answers with a value or raises `MetadataError` with a sentence.
"""

from __future__ import annotations

import ast
import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emostore.errors import MetadataError

MIB = 1024**2
MAX_JSON_BYTES = 32 * MIB
MAX_JSON_PARTS = 1_000_000  # objects and lists, each of which takes 64 bytes of memory and more, from two in the file
MAX_JSON_VALUES = 4_000_000
MAX_LINE_BYTES = 16 * MIB  # of one line of JSON
MAX_TABLE_BYTES = 64 * MIB  # of a CSV
MAX_COLUMNS = 500
DIM = 1024  # numbers of an embedding of Emotion2Vec+ Large
MAX_FRAMES = 4 * 3600 * 50  # four hours, at 50 frames a second
_NPY_MAGIC = b"\x93NUMPY"
_NPY_HEADER_BYTES = 1024  # NumPy writes 118
_NPY_TYPES = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8")
_LARGEST = float(np.finfo(np.float16).max)  # embeddings are stored with 16 bits
_ROWS_AT_ONCE = 4096


def whole(stream: IO[bytes], most: int) -> bytes:
    """All bytes of a stream, at most so many; never more than one beyond is read."""
    data = stream.read(most + 1)
    if len(data) > most:
        raise MetadataError(
            "The file is larger than {allowed} MB, the most that is read of its kind. Split it.", allowed=most // MIB
        )
    return data


def json_value(data: bytes) -> Any:
    """The one JSON value that the bytes hold: UTF-8, finite numbers, no name twice in an object."""
    values = list(islice(json_values(data), 2))
    if len(values) != 1:
        raise MetadataError("There are several JSON values one after the other; one was expected.")
    return values[0]


def json_values(data: bytes) -> Iterator[Any]:
    """Every JSON value of the bytes, one after the other, with nothing or white space in between."""
    if len(data) > MAX_JSON_BYTES:
        raise MetadataError("JSON of more than {allowed} MB is not read. Split it.", allowed=MAX_JSON_BYTES // MIB)
    parts, values = data.count(b"{") + data.count(b"["), data.count(b",")
    if parts > MAX_JSON_PARTS or values > MAX_JSON_VALUES:
        raise MetadataError(
            "The JSON holds more than {parts:,} objects and lists or {values:,} values. Split it.",
            parts=MAX_JSON_PARTS,
            values=MAX_JSON_VALUES,
        )
    text = decoded(data).strip(_JSON_SPACE)
    if not text:
        raise MetadataError("There is nothing in it. JSON begins with a brace or a bracket.")
    place = 0
    while place < len(text):
        try:
            value, place = _DECODER.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise MetadataError(
                "It cannot be read as JSON: {problem} in line {line}, column {column}.",
                problem=error.msg,
                line=error.lineno,
                column=error.colno,
            ) from error
        except RecursionError as error:
            raise MetadataError("The JSON is nested too deep to be scores.") from error
        except ValueError as error:  # a whole number of thousands of digits
            raise MetadataError("The JSON holds a number that is too long to be a score.") from error
        yield value
        while place < len(text) and text[place] in _JSON_SPACE:
            place += 1


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, each with its number from 1, one in memory at a time."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise MetadataError(
                "Line {line} is longer than {allowed} MB, so the file is not read further.",
                line=number,
                allowed=MAX_LINE_BYTES // MIB,
            )
        if line.strip():
            yield number, line


def table(stream: IO[bytes]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV, each with its number and its cells by the names in the first row; empty cells left out."""
    text = decoded(whole(stream, MAX_TABLE_BYTES), chinese=True)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [" ".join(name.split()).lower() for name in next(rows, [])]
        for index, name in enumerate(header[:MAX_COLUMNS]):
            if name and name in header[:index]:
                raise MetadataError("The list has two columns {title}. Take one away.", title=name[:60])
        if len(header) > MAX_COLUMNS:
            raise MetadataError("The table has more than {allowed} columns.", allowed=MAX_COLUMNS)
        for number, row in enumerate(rows, start=2):
            if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
                raise MetadataError("Row {row} has more cells than there are columns.", row=number)
            found = {name: cell.strip() for name, cell in zip(header, row, strict=False) if name and cell.strip()}
            if found:
                yield number, found
    except csv.Error as error:
        raise MetadataError("The table is not a CSV file: {problem}.", problem=str(error)) from error


def npy_mean(stream: IO[bytes], size: int, dim: int = DIM) -> tuple[NDArray[np.float32], int | None]:
    """The embedding that an `.npy` file of `size` bytes holds, shape (dim,), and how many frames it is the mean of.

    Of shape (dim,), then there are no frames; or (frames, dim), of which only some rows are in memory at a
    time. Nothing is unpickled, and the shape has to fit the size before a number is read.
    """
    dtype, shape = _npy_header(stream)
    frames = shape[0] if len(shape) == 2 else None
    if shape[-1:] != (dim,) or len(shape) > 2 or (frames is not None and not 0 < frames <= MAX_FRAMES):
        raise MetadataError(
            "The array has shape {found}; an embedding has shape ({dim},) or (frames, {dim}).",
            found=str(shape)[:60],
            dim=dim,
        )
    rows = frames or 1
    if size - stream.tell() != rows * dim * dtype.itemsize:
        raise MetadataError(
            "The array should take {wanted:,} bytes by its header and takes {found:,}: the file is damaged.",
            wanted=rows * dim * dtype.itemsize,
            found=size - stream.tell(),
        )
    total = np.zeros(dim)
    for start in range(0, rows, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, rows - start)
        data = stream.read(count * dim * dtype.itemsize)
        if len(data) != count * dim * dtype.itemsize:
            raise MetadataError("The array ends before all of its numbers are there: the file is damaged.")
        block = np.frombuffer(data, dtype).reshape(count, dim)
        if not (np.abs(block) <= _LARGEST).all():  # false for NaN too
            raise MetadataError("The array holds values that are not numbers, or too large for an embedding.")
        total += block.sum(axis=0, dtype=np.float64)
    return (total / rows).astype(np.float32), frames


def decoded(data: bytes, *, chinese: bool = False) -> str:
    """The text of UTF-8, with its mark or without; with `chinese` also of UTF-16 with its mark and of GB18030."""
    encodings = ["utf-8-sig"]
    if chinese:
        encodings = ["utf-16"] if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise MetadataError("The file is not text in {allowed}.", allowed="UTF-8, GB18030" if chinese else "UTF-8")


def _npy_header(stream: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape. The header is a Python literal, which is read as such and not run."""
    start = stream.read(len(_NPY_MAGIC) + 2)
    if start[:-2] != _NPY_MAGIC or start[-2:] not in (b"\x01\x00", b"\x02\x00"):
        raise MetadataError("The file is no array of NumPy (.npy).")
    width = 2 if start[-2] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > _NPY_HEADER_BYTES:
        raise MetadataError("The header of the array is too long: the file is damaged.")
    try:
        header = ast.literal_eval(stream.read(length).decode("latin1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise MetadataError("The header of the array cannot be read: the file is damaged.") from error
    if not isinstance(descr, str) or descr not in _NPY_TYPES:
        raise MetadataError(
            "The array holds values of type {found}; an embedding holds floating-point numbers. Objects (pickles) are"
            " never read.",
            found=repr(descr)[:60],
        )
    if not isinstance(shape, tuple) or not all(type(each) is int for each in shape):
        raise MetadataError("The header of the array cannot be read: the file is damaged.")
    if fortran and len(shape) > 1:
        raise MetadataError("The array is stored column by column. Save it with NumPy's `ascontiguousarray`.")
    return np.dtype(descr), shape


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twin = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise MetadataError("The name {name} stands twice in one object; which counts is not said.", name=twin[:60])
    return found


def _refuse(name: str) -> Any:
    raise MetadataError("{found} is not a number that JSON knows, and no score.", found=name)


_JSON_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder(object_pairs_hook=_without_twins, parse_constant=_refuse)
