"""What a model cannot give is named where a number of it would mislead."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from emostore.services.calibration import masked
from emostore.store.session import Store
from tests.app.conftest import text
from tests.store.test_masked import save

SEEN = "large says that it can give Sad, Surprised, but gave exactly 0 in each of its latest 3 clips"
DECLARED = "large cannot give Unknown"


@pytest.mark.parametrize("page", ["home", "leaderboard", "clip", "history", "compare"])
def test_pages_name_both_kinds(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    monkeypatch.setattr(masked, "LEAST", 3)
    save(store, 0, 3)
    for name, value in {"id": "1", "days": "all", "agent": "Ana", "of": "session:1"}.items():
        app.query_params[name] = value
    at = app.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    shown = text(at).replace("\\", "")
    assert SEEN in shown
    assert DECLARED in shown
    assert shown.count("cannot give Unknown") == 1
