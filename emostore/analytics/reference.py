"""Three published distributions that show what a reader can expect: a talk, a complaint, a lesson."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from emostore.analytics.insight_rules import Scenario
from emostore.emotions import EMOTIONS
from emostore.i18n import N_

# As published, each rounded to three decimals and summing to 0.999; in the order of `EMOTIONS`.
_BUSINESS = (0.008, 0.005, 0.012, 0.153, 0.674, 0.021, 0.009, 0.018, 0.099)
_COMPLAINT = (0.421, 0.183, 0.056, 0.002, 0.087, 0.032, 0.124, 0.023, 0.071)
_TEACHING = (0.001, 0.002, 0.003, 0.724, 0.056, 0.004, 0.002, 0.182, 0.025)

# name → the nine scores as given; the names are translated where they are shown
CASES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        N_("Business talk"): MappingProxyType(dict(zip(EMOTIONS, _BUSINESS, strict=True))),
        N_("Customer complaint"): MappingProxyType(dict(zip(EMOTIONS, _COMPLAINT, strict=True))),
        N_("Teaching voice"): MappingProxyType(dict(zip(EMOTIONS, _TEACHING, strict=True))),
    }
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {"Business talk": "business", "Customer complaint": "customer_service", "Teaching voice": "teaching"}
)  # what each case is a case of
