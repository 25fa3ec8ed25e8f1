"""Daily totals follow the reporting time zone without anybody waiting for them."""

from __future__ import annotations

import pytest

from emostore.errors import StoreError
from emostore.services import daily_totals
from emostore.store.rollups import rollup_build
from emostore.store.session import Store
from emostore.store.writing import clips
from tests.store import rollup_oracle
from tests.store.samples import analysis


@pytest.mark.parametrize("few", [1, 1_000])
def test_totals_are_made_again_for_another_time_zone(store: Store, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(daily_totals, "FEW", few)
    clips.save_many(store, [analysis(name, agent="Ann") for name in "abc"])
    daily_totals.keep(store, "Asia/Shanghai")
    daily_totals.keep(store, "Asia/Shanghai")
    daily_totals.wait(store, 60)
    assert rollup_build.status(store) == rollup_build.RollupStatus("Asia/Shanghai", ready=True)
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


@pytest.mark.parametrize("error", [StoreError("The disk is full."), RuntimeError("?")])
def test_a_failure_is_logged_and_leaves_the_page_working(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(rollup_build, "ensure", fail)
    daily_totals.keep(store, "Asia/Shanghai")
    assert "could not be made" in caplog.text
    assert rollup_build.status(store).stale("Asia/Shanghai")
