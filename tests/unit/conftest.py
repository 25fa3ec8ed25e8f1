"""Charts are checked here, part by part; pages leave that out, because it takes long."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def charts_are_checked() -> None:
    from altair.utils import schemapi

    import emostore.charts  # noqa: F401  (which switches it off)

    schemapi.enable_debug_mode()
