"""The stages of a calibration as data; `applying` says what they make of logits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emostore.analytics.saved import check_number, shown
from emostore.emotions import EMOTIONS
from emostore.errors import SettingsError

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

MOST_DOMAINS = 10
MOST_DIMENSIONS = 8192  # of an embedding; Emotion2Vec+ Large has 1024
DOMAIN_LENGTH = 20  # characters
TEMPERATURES = (0.02, 50.0)  # a factor is one over these
MOST_BIAS = 20.0
LEAST_PRIOR = 1e-6
_N = len(EMOTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear layer from embeddings to logits: `weight` (9, dim) and `bias` (9,), float32.

    A class that it cannot produce has the bias −inf. Raises `SettingsError` for anything else.
    """

    weight: Singles
    bias: Singles

    def __post_init__(self) -> None:
        weight, bias = np.array(self.weight, np.float32), np.array(self.bias, np.float32)
        if weight.ndim != 2 or len(weight) != _N or bias.shape != (_N,) or not 0 < weight.shape[1] <= MOST_DIMENSIONS:
            raise SettingsError(
                "A head has nine rows of 1 to {allowed} numbers and nine biases; this one has {found}.",
                allowed=MOST_DIMENSIONS,
                found=f"{weight.shape}, {bias.shape}",
            )
        if (
            not np.isfinite(weight).all()
            or np.isnan(bias).any()
            or (bias == np.inf).any()
            or not (bias > -np.inf).any()
        ):
            raise SettingsError("The head holds values that are not numbers. Fit it again.")
        weight.flags.writeable = bias.flags.writeable = False
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", bias)

    @property
    def dim(self) -> int:
        """How many numbers an embedding has that it reads."""
        return int(self.weight.shape[1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Head) and all(
            np.array_equal(mine, theirs) for mine, theirs in ((self.weight, other.weight), (self.bias, other.bias))
        )

    def __hash__(self) -> int:
        return hash((self.weight.tobytes(), self.bias.tobytes()))

    def logits(self, embeddings: ArrayLike) -> Floats:
        """Logits (n, 9) of embeddings (n, dim)."""
        return np.asarray(np.asarray(embeddings, np.float64) @ self.weight.T.astype(np.float64) + self.bias)

    def as_data(self) -> dict[str, Any]:
        """As JSON knows it: the numbers as base64 of little-endian float32, which loses no digit."""
        return {"dim": self.dim, "weight": _encoded(self.weight), "bias": _encoded(self.bias)}

    @classmethod
    def from_data(cls, data: object) -> Self:
        """What `as_data` wrote. Raises `SettingsError`."""
        found = _fields(data, ("dim", "weight", "bias"))
        dim = int(check_number("dim", found["dim"], 1, MOST_DIMENSIONS))
        return cls(_decoded("weight", found["weight"], _N * dim).reshape(_N, dim), _decoded("bias", found["bias"], _N))


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a logit is multiplied by, and what is then added, for each of the nine.

    One temperature T is nine factors of 1/T and no bias. Raises `SettingsError` for values out of bounds.
    """

    factors: tuple[float, ...]
    biases: tuple[float, ...] = (0.0,) * _N

    def __post_init__(self) -> None:
        low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
        object.__setattr__(self, "factors", _numbers("factors", self.factors, low, high))
        object.__setattr__(self, "biases", _numbers("biases", self.biases, -MOST_BIAS, MOST_BIAS))

    @classmethod
    def of_temperature(cls, temperature: float) -> Self:
        """Every logit divided by one temperature."""
        return cls((1 / check_number("temperature", temperature, *TEMPERATURES),) * _N)

    @property
    def temperature(self) -> float | None:
        """The temperature that all nine are divided by; None if they differ."""
        return 1 / self.factors[0] if len(set(self.factors)) == 1 else None

    def apply(self, logits: Floats) -> Floats:
        """Scaled logits, (n, 9); −inf stays."""
        return np.asarray(logits * np.array(self.factors) + np.array(self.biases))

    def as_data(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"factors": list(self.factors), "biases": list(self.biases)}

    @classmethod
    def from_data(cls, data: object) -> Self:
        """What `as_data` wrote. Raises `SettingsError`."""
        return cls(**_fields(data, ("factors", "biases")))


@dataclass(frozen=True, slots=True)
class Priors:
    """What is known of the corpus before a clip is heard.

    A score is multiplied by `target` over `source`, how frequent the emotion is here over how frequent it was where
    the scores come from (Bayes, with unchanged likelihoods; Saerens et al. 2002). Then a share `weight` of the
    scores goes the way of `together` (9, 9): row i is how scores are spread in clips where i is one of them. Raises
    `SettingsError` for what is no distribution.
    """

    source: tuple[float, ...]
    target: tuple[float, ...]
    weight: float = 0.0
    together: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            values = _numbers(name, getattr(self, name), LEAST_PRIOR, 1.0)
            _check_sum(name, values)
            object.__setattr__(self, name, values)
        object.__setattr__(self, "weight", check_number("weight", self.weight, 0.0, 1.0))
        if self.together is not None:
            if not isinstance(self.together, (list, tuple)) or len(self.together) != _N:
                raise SettingsError("{field} needs nine rows of nine numbers.", field="together")
            rows = tuple(_numbers("together", row, 0.0, 1.0) for row in self.together)
            for row in rows:
                _check_sum("together", row)
            object.__setattr__(self, "together", rows)
        elif self.weight > 0:
            raise SettingsError("A weight of {found} needs the matrix that it weighs.", found=self.weight)

    def apply(self, scores: Floats) -> Floats:
        """Scores (n, 9) with the priors folded in; what is exactly 0 stays so, and rows sum to 1."""
        impossible = scores == 0
        moved = scores * (np.array(self.target) / np.array(self.source))
        moved /= moved.sum(axis=1, keepdims=True)
        if self.together is not None and self.weight > 0:
            moved = (1 - self.weight) * moved + self.weight * (moved @ np.array(self.together))
            moved[impossible] = 0
            moved /= moved.sum(axis=1, keepdims=True)
        return np.asarray(moved)

    def as_data(self) -> dict[str, Any]:
        """As JSON knows it."""
        together = None if self.together is None else [list(row) for row in self.together]
        return {
            "source": list(self.source),
            "target": list(self.target),
            "weight": self.weight,
            "together": together,
        }

    @classmethod
    def from_data(cls, data: object) -> Self:
        """What `as_data` wrote. Raises `SettingsError`."""
        return cls(**_fields(data, ("source", "target", "weight", "together")))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The stages in their order; one that is left out changes nothing.

    `heads` read the embeddings of a domain in place of the model's own head. Aligning embeddings is affine and a head
    is linear, so that both together are again a head (see `alignment`): nothing else is needed to apply it. `trained`
    is a head learnt from labels, which reads those of every domain (see `training`); beside it there are no others.
    """

    heads: Mapping[str, Head] = field(default_factory=dict)
    scaling: Scaling | None = None
    priors: Priors | None = None
    trained: Head | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.heads, Mapping) or len(self.heads) > MOST_DOMAINS:
            raise SettingsError("There can be heads for at most {allowed} domains.", allowed=MOST_DOMAINS)
        for name in self.heads:
            if not isinstance(name, str) or not 0 < len(name) <= DOMAIN_LENGTH:
                raise SettingsError("{found} is not the name of a domain.", found=shown(name))
        if len({head.dim for head in self.heads.values()}) > 1:
            raise SettingsError("The heads read embeddings of different sizes. Fit them again.")
        if self.heads and self.trained is not None:
            raise SettingsError("A trained head reads every recording: there can be none for domains beside it.")

    @property
    def is_raw(self) -> bool:
        """Whether it leaves everything as the model said it."""
        return not self.reads_embeddings and self.scaling is None and self.priors is None

    @property
    def reads_embeddings(self) -> bool:
        """Whether logits are not enough to apply it."""
        return bool(self.heads) or self.trained is not None

    @property
    def masked(self) -> tuple[str, ...]:
        """The emotions that a trained head never gives, in their order."""
        return () if self.trained is None else _silent(self.trained.bias)

    def for_windows(self) -> Calibration:
        """What of it holds where there are logits and no embeddings, as of windows: scaling and priors, and no heads.

        Beside a trained head these were fitted to other logits than the model's, so that nothing of it holds: raw.
        """
        return Calibration() if self.trained is not None else Calibration({}, self.scaling, self.priors)

    def as_data(self) -> dict[str, Any]:
        """As JSON knows it; {} is raw."""
        data: dict[str, Any] = {}
        if self.heads:
            data["heads"] = {name: head.as_data() for name, head in self.heads.items()}
        if self.scaling is not None:
            data["scaling"] = self.scaling.as_data()
        if self.priors is not None:
            data["priors"] = self.priors.as_data()
        if self.trained is not None:
            data["trained"] = self.trained.as_data()
        return data

    @classmethod
    def from_data(cls, data: object) -> Self:
        """What `as_data` wrote. Raises `SettingsError` for anything else."""
        found = _fields(data, ("heads", "scaling", "priors", "trained"), optional=True)
        heads = found.get("heads", {})
        if not isinstance(heads, Mapping) or len(heads) > MOST_DOMAINS:  # before each is read
            raise SettingsError("There can be heads for at most {allowed} domains.", allowed=MOST_DOMAINS)
        return cls(
            {name: Head.from_data(head) for name, head in heads.items()},
            Scaling.from_data(found["scaling"]) if found.get("scaling") is not None else None,
            Priors.from_data(found["priors"]) if found.get("priors") is not None else None,
            Head.from_data(found["trained"]) if found.get("trained") is not None else None,
        )


RAW = Calibration()


def masked_by(bias: object) -> tuple[str, ...]:
    """The emotions that a head never gives, by its bias as `Head.as_data` wrote it. Raises `SettingsError`."""
    return _silent(_decoded("bias", bias, _N))


def _silent(bias: Singles) -> tuple[str, ...]:
    return tuple(name for name, value in zip(EMOTIONS, bias.tolist(), strict=True) if value == -np.inf)


def _numbers(name: str, values: object, low: float, high: float) -> tuple[float, ...]:
    if not isinstance(values, (list, tuple)) or len(values) != _N:
        raise SettingsError("{field} needs nine numbers; {found} was found.", field=name, found=shown(values))
    return tuple(check_number(name, value, low, high) for value in values)


def _check_sum(name: str, values: Sequence[float]) -> None:
    if abs(sum(values) - 1) > 1e-6:
        raise SettingsError("{field} must sum to 1; it sums to {found:.6f}.", field=name, found=sum(values))


def _fields(data: object, names: tuple[str, ...], *, optional: bool = False) -> dict[str, Any]:
    if not isinstance(data, Mapping) or not (set(data) <= set(names) if optional else set(data) == set(names)):
        raise SettingsError(
            "{found} was found where an object with the fields {allowed} was expected.",
            found=shown(data),
            allowed=", ".join(names),
        )
    return dict(data)


def _encoded(values: Singles) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _decoded(name: str, text: object, count: int) -> Singles:
    """So many float32 numbers; the length is looked at before anything is decoded."""
    needed = 4 * -(-4 * count // 3)
    try:
        if not isinstance(text, str) or len(text) != needed:
            raise ValueError
        return np.frombuffer(base64.b64decode(text, validate=True), "<f4", count)
    except (ValueError, binascii.Error) as error:
        raise SettingsError("{field} does not hold {count} numbers. Fit it again.", field=name, count=count) from error
