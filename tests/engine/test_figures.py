"""What is said of the bundled model is what was measured."""

from __future__ import annotations

import json

from emostore.engine import figures
from emostore.i18n import explain


def test_the_caution_quotes_the_measured_figures() -> None:
    conditions = json.loads(figures.METRICS.read_text())["out_of_fold"]["conditions"]
    sentence = figures.caution("baseline")
    assert sentence is not None
    said = explain(sentence, "en")
    assert f"recognises {100 * conditions['clean']['uar']:.0f} %" in said
    assert f"over a telephone {100 * conditions['phone']['uar']:.0f} %" in said
    assert "10 German actors" in said


def test_of_a_model_that_was_not_measured_nothing_is_said() -> None:
    assert figures.caution("emotion2vec_plus_large") is None
