"""Sums of scores against a limit, exact on the numbers as they are written."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Operator = Literal[">", ">=", "<", "<="]

OPERATORS: tuple[Operator, ...] = get_args(Operator)
_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NEAR = 1e-9  # farther from the limit than this, binary arithmetic cannot be on the wrong side of it
_MOST_DECIMALS = 17


def total(values: Iterable[float]) -> Decimal:
    """The sum of numbers as they are written, so that 0.1 + 0.2 is 0.3 and not a trace more."""
    return sum((Decimal(repr(float(value))) for value in values), Decimal())


def holds(values: Iterable[float], compare: Operator, limit: float) -> bool:
    """Whether the sum of the values stands in that relation to the limit."""
    return bool(_COMPARE[compare](total(values), Decimal(repr(float(limit)))))


def rows_hold(rows: NDArray[np.float64], compare: Operator, limit: float) -> NDArray[np.bool_]:
    """`holds` for every row of an array (n, k), shape (n,)."""
    sums = rows.sum(axis=1)
    result = np.array(_COMPARE[compare](sums, limit), bool)
    for row in np.flatnonzero(np.abs(sums - limit) < _NEAR):
        result[row] = holds(rows[row], compare, limit)
    return result


def percent(value: Decimal | float, limit: float) -> str:
    """A share in per cent with one decimal, or as many more as it takes to tell it from the limit.

    Without them, 60.02 % would read as "60.0 % is over 60 %".
    """
    exact, bound = (Decimal(str(number)) * 100 for number in (value, limit))
    tries = (f"{exact:.{decimals}f}" for decimals in range(1, _MOST_DECIMALS))
    return next((shown for shown in tries if exact == bound or Decimal(shown) != bound), f"{exact:f}")


def limit_percent(limit: float) -> str:
    """A limit in per cent, as short as it can be written: 60, 0.5."""
    return f"{(Decimal(repr(float(limit))) * 100).normalize():f}"
