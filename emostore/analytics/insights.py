"""What a distribution says, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

from emostore.emotions import BY_NAME, EMOTIONS
from emostore.i18n import N_, Sentence

DOMINANT_ABOVE = 0.5  # one emotion outweighs all the others together
CLOSE_WITHIN = 0.1  # two scores this near each other do not tell a first from a second


def headline(scores: Mapping[str, float]) -> Sentence:
    """One sentence that opens a clip's page; it quotes the two highest scores as given."""
    first, second = sorted(EMOTIONS, key=lambda name: -scores.get(name, 0.0))[:2]
    high, low = scores.get(first, 0.0), scores.get(second, 0.0)
    params = {"first": BY_NAME[first], "high": 100 * high, "second": BY_NAME[second], "low": 100 * low}
    if high > DOMINANT_ABOVE:
        message = N_("This voice sounds mostly {first} ({high:.1f} %); {second} comes next with {low:.1f} %.")
    elif high - low < CLOSE_WITHIN:
        message = N_("This voice is mixed: {first} ({high:.1f} %) and {second} ({low:.1f} %) are close together.")
    else:
        message = N_("This voice sounds {first} ({high:.1f} %) more than {second} ({low:.1f} %), but not mostly so.")
    return Sentence(message, params)
