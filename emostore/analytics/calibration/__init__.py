"""From what a model said to scores that mean what they say.

embedding → the domain's head (alignment) → scaling (temperature) → prior fusion → nine scores. Every stage is
optional; with none of them, the scores are the softmax of the model's logits.
"""

from emostore.analytics.calibration.applying import apply
from emostore.analytics.calibration.stages import RAW, Calibration, Head, Priors, Scaling

__all__ = ["RAW", "Calibration", "Head", "Priors", "Scaling", "apply"]
