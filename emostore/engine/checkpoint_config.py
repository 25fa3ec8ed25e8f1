"""A checkpoint's `config.yaml`, parsed as plain data: nothing in it is evaluated or fetched from elsewhere."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

import yaml

from emostore.engine.recognizer import MIN_SAMPLES
from emostore.errors import ModelError

FRAME_SAMPLES = 320  # step of the front end: 50 frames a second
MAX_TEXT_BYTES = 256 * 1024  # the published config.yaml has 5.5 kB
_MAX_LAYERS = 32  # of the convolutional front end; the published one has 7
_PREFIXES = ("d2v_model.", "module.")


def read_text(path: Path) -> str:
    """A small text file. Raises `ModelError` where it is larger than `MAX_TEXT_BYTES` or not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
        if len(raw) > MAX_TEXT_BYTES:
            raise ModelError(
                "{path} is larger than {limit} bytes, so it is not what its name says. Download it again.",
                path=str(path),
                limit=MAX_TEXT_BYTES,
            )
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("{path} cannot be read as UTF-8 text. Download it again.", path=str(path)) from error


class _Loader(yaml.SafeLoader):
    """Plain data only. Aliases are refused, because a few lines of them can unfold to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


# YAML 1.1, and so PyYAML, takes 1e-05 for text; the published config.yaml means the number (as in YAML 1.2).
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


def read_config(path: Path) -> dict[str, Any]:
    """The file as plain data. Raises `ModelError` where it is not plain YAML about an Emotion2vec model."""
    text = read_text(path)
    try:
        config = yaml.load(text, Loader=_Loader)  # a subclass of the safe loader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ModelError(
            "{path} is not plain YAML: {problem}. Download it again.",
            path=str(path),
            problem=" ".join(str(error).split()) or type(error).__name__,
        ) from error
    if not isinstance(config, dict) or config.get("model") != "Emotion2vec":
        raise ModelError(
            "{path} does not describe an Emotion2vec model. Name the folder of one.",
            path=str(path),
        )
    if "${" in text:  # the configuration library would read environment variables through it
        raise ModelError("{path} refers to values outside itself with ${{. Download it again.", path=str(path))
    return config


def network(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """`model_conf` with its front end as plain numbers and without the decoder, which only pre-training needs.

    Raises `ModelError` where `path`, the file that `config` is from, describes a network with another
    frame rate, or none.
    """
    try:
        result = dict(config["model_conf"])
        audio = dict(result["modalities"]["audio"])
        layers = _conv_layers(audio["feature_encoder_spec"])
        dim = result["embed_dim"]
        if not isinstance(dim, int) or dim < 1:
            raise ValueError(f"embed_dim is {dim}")
    except (KeyError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ModelError(
            "{path} does not describe the network as expected ({problem}). Download it again.",
            path=str(path),
            problem=f"{type(error).__name__}: {error}",
        ) from error
    step = math.prod(stride for _, _, stride in layers)
    field = 1
    for _, kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    if step != FRAME_SAMPLES or field > MIN_SAMPLES:
        raise ModelError(
            "{path} asks for a frame of {field} samples every {step}; this app needs at most {max_field} every "
            "{needed}. Name another checkpoint.",
            path=str(path),
            field=field,
            step=step,
            max_field=MIN_SAMPLES,
            needed=FRAME_SAMPLES,
        )
    # FunASR evaluates this text as Python, so it gets numbers that were parsed here, never the file's text.
    result["modalities"] = {"audio": {**audio, "feature_encoder_spec": repr(layers), "decoder": None}}
    return result


def _conv_layers(spec: object) -> list[tuple[int, int, int]]:
    """(channels, kernel, stride) of each layer of a text such as `[(512, 10, 5)] + [(512, 3, 2)] * 4`."""
    layers = _evaluate(ast.parse(str(spec).strip(), mode="eval").body)
    if not isinstance(layers, list) or not all(
        isinstance(layer, tuple) and len(layer) == 3 and all(isinstance(n, int) and 0 < n < 65536 for n in layer)
        for layer in layers
    ):
        raise ValueError("feature_encoder_spec is not a list of three positive numbers a layer")
    return layers


def _evaluate(node: ast.expr) -> Any:
    """The value of a literal list of tuples joined with + and repeated with *; nothing else is allowed."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            result = left + right
        elif isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int):
            result = left * min(right, _MAX_LAYERS + 1)
        else:
            raise ValueError("feature_encoder_spec may only join and repeat lists")
        if len(result) > _MAX_LAYERS:
            raise ValueError(f"feature_encoder_spec has more than {_MAX_LAYERS} layers")
        return result
    return ast.literal_eval(node)


def prefixes(config: dict[str, Any]) -> tuple[str, ...]:
    """Prefixes of tensor names: those that `scope_map` drops, then the usual ones; of several the last wins."""
    scope = config.get("scope_map") or []
    pairs = zip(scope[::2], scope[1::2], strict=False) if isinstance(scope, list) else ()
    dropped = [str(source) for source, target in pairs if str(target).lower() == "none"]
    return tuple(dict.fromkeys([*dropped, *_PREFIXES]))
