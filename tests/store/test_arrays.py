"""Columns of numbers reach PostgreSQL bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from emostore.store.session import create_store
from tests.conftest import Postgres


def test_arrays_are_what_they_were(postgres: Postgres) -> None:
    url = postgres.create()
    store = create_store(url)
    whole = np.array([0, -1, 2**63 - 1, -(2**63)], np.int64)
    fractions = np.array([0.1, -0.0, 5e-324, np.inf])
    days = np.array(["1999-12-31", "2000-01-01", "2026-03-01", "0001-01-01"], "datetime64[D]")
    sql = (
        "SELECT whole, fraction, day FROM unnest(%s::bigint[], %s::float8[], %s::date[]) AS given(whole, fraction, day)"
    )
    with store.engine.connect() as connection:
        found = connection.exec_driver_sql(sql, (whole, fractions, days)).all()
        nothing = connection.exec_driver_sql("SELECT * FROM unnest(%s::bigint[])", (whole[:0],)).all()
        for wrong in (np.zeros(2, np.float32), np.zeros((2, 2))):
            with pytest.raises(TypeError, match="expected"):
                connection.exec_driver_sql("SELECT %s::float8[]", (wrong,))
    store.close()
    postgres.drop(url)
    assert [list(column) for column in zip(*found, strict=True)] == [whole.tolist(), fractions.tolist(), days.tolist()]
    assert str(found[1][1]) == "-0.0"
    assert nothing == []
