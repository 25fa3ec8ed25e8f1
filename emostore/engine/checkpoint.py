"""A FunASR checkpoint directory: what it must hold, checked before any code of another project sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emostore.emotions import BY_NAME, EMOTIONS
from emostore.engine import weights
from emostore.engine.checkpoint_config import network, prefixes, read_config, read_text
from emostore.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, TOKENS, WEIGHTS = "config.yaml", "tokens.txt", "model.pt"
FILES = (CONFIG, TOKENS, WEIGHTS)
LARGE = "emotion2vec_plus_large"
# Its model card says "license: other, license_name: model-license" and links to FunASR.
LICENCES = {LARGE: "FunASR model licence (model-license), https://github.com/alibaba-damo-academy/FunASR"}
UNKNOWN_LICENCE = "see the model card"

_BY_LABEL = {name: name for name in EMOTIONS} | {BY_NAME[name].zh: name for name in EMOTIONS} | {"<unk>": "unknown"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint directory says of itself.

    `labels` names the emotion of each row of the head, None where the checkpoint masks it; `dim` is the
    width of the embedding; `model_conf` goes to FunASR's network; `prefixes` may stand before the names
    of the tensors.
    """

    path: Path
    name: str
    licence: str
    labels: tuple[str | None, ...]
    dim: int
    model_conf: Mapping[str, Any]
    prefixes: tuple[str, ...]

    @property
    def weights(self) -> Path:
        """The file of the tensors."""
        return self.path / WEIGHTS

    @property
    def classes(self) -> tuple[str, ...]:
        """Emotions that the model can produce, in the product's order."""
        return tuple(name for name in EMOTIONS if name in self.labels)

    @property
    def revision(self) -> str:
        """Leading hex digits of the weights' SHA-256; the first call reads the whole file."""
        return weights.revision_of(self.weights)


def missing_files(path: Path) -> tuple[str, ...]:
    """Files that a checkpoint needs and this directory lacks."""
    return tuple(name for name in FILES if not (path / name).is_file())


def describe(path: Path) -> Checkpoint:
    """Read everything but the weights: milliseconds, and no torch.

    Raises `ModelError` naming the file and what is wrong with it.
    """
    path = path.expanduser().absolute()
    missing = missing_files(path)
    if missing:
        raise ModelError(
            "{path} is not a complete checkpoint: {missing} is missing. Download it again, or name another folder.",
            path=str(path),
            missing=", ".join(missing),
        )
    config = read_config(path / CONFIG)
    name = _name(path)
    model_conf = network(config, path / CONFIG)
    return Checkpoint(
        path=path,
        name=name,
        licence=LICENCES.get(name, UNKNOWN_LICENCE),
        labels=_read_labels(path / TOKENS),
        dim=model_conf["embed_dim"],
        model_conf=model_conf,
        prefixes=prefixes(config),
    )


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint directory, its weights and their head included.

    Raises `ModelError` naming what is missing, masked wholly, misnamed or damaged.
    """
    checkpoint = describe(path)
    load_weights(checkpoint)
    return checkpoint


def load_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of `model.pt` by name, prefixes as stored, with a head that fits the labels.

    Raises `ModelError` where the file is not plain tensors or the head is missing or of another size.
    """
    tensors = weights.load_tensors(checkpoint.weights)
    count = len(checkpoint.labels)
    for name, shape in {"proj.weight": (count, checkpoint.dim), "proj.bias": (count,)}.items():
        tensor = weights.find(tensors, name, checkpoint.prefixes)
        if tensor is None:
            raise ModelError(
                "{path} has no classification head ({name} is missing): it is a pre-trained network, not an emotion "
                "recogniser. Name a fine-tuned checkpoint.",
                path=str(checkpoint.weights),
                name=name,
            )
        if tuple(tensor.shape) != shape:
            raise ModelError(
                "The head {name} in {path} has shape {found}, but {labels} labels in tokens.txt and embed_dim {dim} "
                "in config.yaml ask for {needed}. Take all files from one checkpoint.",
                name=name,
                path=str(checkpoint.weights),
                found=str(tuple(tensor.shape)),
                labels=count,
                dim=checkpoint.dim,
                needed=str(shape),
            )
    return tensors


def _read_labels(path: Path) -> tuple[str | None, ...]:
    """The emotion of each line of tokens.txt, such as 生气/angry, by name; None for a masked `unuse_N`."""
    lines = read_text(path).rstrip().splitlines()
    labels = tuple(_label(line.strip(), path) for line in lines)
    named = [label for label in labels if label]
    twice = sorted({label for label in named if named.count(label) > 1})
    if twice:
        raise ModelError(
            "{path} names {labels} more than once. Correct the file, or take it from the checkpoint's source.",
            path=str(path),
            labels=", ".join(twice),
        )
    if not named:
        raise ModelError(
            "{path} names no emotion that the model could produce. Take the file from the checkpoint's source.",
            path=str(path),
        )
    return labels


def _label(line: str, path: Path) -> str | None:
    if line.startswith("unuse"):  # what FunASR looks for
        return None
    found = {_BY_LABEL.get(part.strip().lower()) for part in line.split("/")}
    if len(found) != 1 or None in found:  # an unknown name, or two names that contradict each other
        raise ModelError(
            "{path} names a class {label}, which is not one of {allowed}, <unk> or unuse_N. Correct the file, or "
            "take it from the checkpoint's source.",
            path=str(path),
            label=repr(line),
            allowed=", ".join(EMOTIONS),
        )
    return found.pop()


def _name(path: Path) -> str:
    """The model's name: what `configuration.json` says it is called in the hub, else the directory's."""
    try:
        names = json.loads(read_text(path / "configuration.json"))["model_name_in_hub"]
        stated = str(names["ms"] or names["hf"]).rsplit("/", 1)[-1]
        if re.fullmatch(r"[\w.+-]{1,100}", stated):
            return stated
    except (ModelError, ValueError, LookupError, TypeError, RecursionError):
        pass  # the file is optional and says nothing that is needed
    if path.parent.name == "snapshots":  # <owner>--<name>/snapshots/<revision> in either hub's cache
        return path.parent.parent.name.rsplit("--", 1)[-1]
    return path.resolve().name
