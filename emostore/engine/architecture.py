"""The network that a checkpoint's `config.yaml` describes, and the tensors that it consists of."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from emostore.engine.checkpoint import CONFIG, Checkpoint
from emostore.errors import ModelError

AUDIO = "modality_encoders.AUDIO."
MAX_BLOCKS = 256  # transformer blocks or positional layers; the published networks have 12 and 5

# Settings that would make another network, with the one value that `network.py` computes. What is not
# named here or in `Architecture` concerns training alone, and FunASR does not read it to infer either.
_FIXED = {"layer_norm_first": False, "norm_affine": True}
_FIXED_AUDIO = {
    "extractor_mode": "layer_norm",
    "use_alibi_encoder": True,
    "learned_alibi": False,
    "learned_alibi_scale_per_layer": False,
    "conv_pos_pre_ln": False,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of an Emotion2vec network.

    `conv_layers` are (channels, kernel, stride) of the front end; `positional_*` its relative positional
    encoder; `blocks` are the names of the transformer blocks in order; `alibi_scales` is `heads`, or 1
    where all heads share one scale; `normalize` asks for waveforms of mean 0 and variance 1.
    """

    dim: int
    heads: int
    hidden: int
    blocks: tuple[str, ...]
    extra_tokens: int
    alibi_scales: int
    conv_layers: tuple[tuple[int, int, int], ...]
    positional_layers: int
    positional_kernel: int
    positional_groups: int
    eps: float
    normalize: bool

    @property
    def field(self) -> int:
        """Samples that one frame is made of."""
        field = 1
        for _, kernel, stride in reversed(self.conv_layers):
            field = (field - 1) * stride + kernel
        return field


def architecture(checkpoint: Checkpoint) -> Architecture:
    """Read the sizes. Raises `ModelError` naming the setting that is missing, absurd or not supported."""
    return _Reader(checkpoint).architecture()


def shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that inference needs, by FunASR's names without prefixes.

    Raises `ModelError` as `architecture` does.
    """
    found = architecture(checkpoint)
    dim, hidden = found.dim, found.hidden
    result: dict[str, tuple[int, ...]] = {}

    def affine(name: str, width: int) -> None:
        result.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    def linear(name: str, wide: int, *rest: int) -> None:
        result.update({f"{name}.weight": (wide, *rest), f"{name}.bias": (wide,)})

    result[AUDIO + "extra_tokens"] = (1, found.extra_tokens, dim)
    result[AUDIO + "alibi_scale"] = (1, 1, found.alibi_scales, 1, 1)
    width = 1
    for i, (channels, kernel, _) in enumerate(found.conv_layers):
        name = f"{AUDIO}local_encoder.conv_layers.{i}"
        result[f"{name}.0.weight"] = (channels, width, kernel)
        affine(f"{name}.2.1", channels)
        width = channels
    affine(AUDIO + "project_features.1", width)
    linear(AUDIO + "project_features.2", dim, width)
    for i in range(found.positional_layers):
        name = f"{AUDIO}relative_positional_encoder.{i + 1}.0"
        linear(name, dim, dim // found.positional_groups, found.positional_kernel)
    affine(AUDIO + "context_encoder.norm", dim)
    for name in found.blocks:
        linear(f"{name}.attn.qkv", 3 * dim, dim)
        linear(f"{name}.attn.proj", dim, dim)
        affine(f"{name}.norm1", dim)
        linear(f"{name}.mlp.fc1", hidden, dim)
        linear(f"{name}.mlp.fc2", dim, hidden)
        affine(f"{name}.norm2", dim)
    linear("proj", len(checkpoint.labels), dim)
    return result


class _Reader:
    """Reads `model_conf` setting by setting, so that every refusal names one."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._path = checkpoint.path / CONFIG
        self._conf: Mapping[str, Any] = checkpoint.model_conf
        self._audio: Mapping[str, Any] = checkpoint.model_conf["modalities"]["audio"]

    def architecture(self) -> Architecture:
        for settings, fixed in ((self._conf, _FIXED), (self._audio, _FIXED_AUDIO)):
            for name, value in fixed.items():
                if settings.get(name, False) != value:
                    self._refuse(name, settings.get(name), str(value).lower())
        dim = self._count(self._conf, "embed_dim")
        heads = self._count(self._conf, "num_heads", divides=dim)
        if self._audio.get("num_alibi_heads") != heads:
            self._refuse("num_alibi_heads", self._audio.get("num_alibi_heads"), f"{heads}, as num_heads")
        layers = self._count(self._audio, "conv_pos_depth", most=MAX_BLOCKS)
        prenet = self._count(self._audio, "prenet_depth", most=MAX_BLOCKS)
        depth = self._count(self._conf, "depth", most=MAX_BLOCKS)
        return Architecture(
            dim=dim,
            heads=heads,
            hidden=int(dim * self._positive("mlp_ratio")),
            blocks=(
                *(f"{AUDIO}context_encoder.blocks.{i}" for i in range(prenet)),
                *(f"blocks.{i}" for i in range(depth)),
            ),
            extra_tokens=self._count(self._audio, "num_extra_tokens"),
            alibi_scales=heads if self._audio.get("learned_alibi_scale_per_head") else 1,
            conv_layers=tuple(ast.literal_eval(self._audio["feature_encoder_spec"])),  # `checkpoint_config` wrote it
            positional_layers=layers,
            positional_kernel=max(3, self._count(self._audio, "conv_pos_width") // layers),
            positional_groups=self._count(self._audio, "conv_pos_groups", divides=dim),
            eps=self._positive("norm_eps"),
            normalize=bool(self._conf.get("normalize")),
        )

    def _count(self, settings: Mapping[str, Any], name: str, *, divides: int = 0, most: int = 65_535) -> int:
        value = settings.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most or divides % value:
            self._refuse(name, value, f"1 to {most}" + (f", dividing {divides}" if divides else ""))
        return int(value)

    def _positive(self, name: str) -> float:
        value = self._conf.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1000:
            self._refuse(name, value, "a positive number")
        return float(value)

    def _refuse(self, name: str, found: object, allowed: str) -> NoReturn:
        raise ModelError(
            "The network that {path} describes cannot be run: {name} is {found}, and this app supports {allowed}. "
            "Name another checkpoint.",
            path=str(self._path),
            name=name,
            found=repr(found),
            allowed=allowed,
        )
