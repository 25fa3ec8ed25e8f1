"""HTTP as the downloads use it: time limits, and failures as sentences."""

from __future__ import annotations

import re

import httpx2

from emostore import __version__
from emostore.errors import ModelError

CONNECT_S = 5.0
READ_S = 20.0  # between two packets, not for the whole answer


class UnreachableError(Exception):
    """A hub that does not answer, or not now; `problem` says what happened in one sentence."""

    def __init__(self, problem: ModelError) -> None:
        super().__init__(str(problem))
        self.problem = problem


def new_client() -> httpx2.Client:
    """A client that follows redirects (files lie on other machines than their list) and honours proxy settings."""
    return httpx2.Client(
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
        follow_redirects=True,
        # A compressed answer would have another length than the one that is listed, and no ranges.
        headers={"Accept-Encoding": "identity", "User-Agent": f"emostore/{__version__}"},
    )


def problem_of(error: httpx2.HTTPError | httpx2.InvalidURL) -> ModelError:
    """What went wrong on the way, as a sentence."""
    if isinstance(error, httpx2.TimeoutException):
        seconds = CONNECT_S if isinstance(error, httpx2.ConnectTimeout) else READ_S
        return ModelError("There was no answer within {seconds} seconds.", seconds=f"{seconds:g}")
    first_line = (str(error).splitlines() or [""])[0]
    detail = re.sub(r"^\[Errno -?\d+\] ", "", first_line).rstrip(".") or type(error).__name__
    if isinstance(error, httpx2.ConnectError):
        return ModelError("No connection could be made ({detail}).", detail=detail)
    return ModelError("The connection failed ({detail}).", detail=detail)


def status_problem(status: int) -> ModelError:
    """An answer that is an error, as a sentence."""
    return ModelError("The answer was HTTP {status}.", status=status)
