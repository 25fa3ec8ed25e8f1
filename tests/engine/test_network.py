"""The forward pass against FunASR's, over networks of several shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from emostore.engine.architecture import architecture, shapes
from emostore.engine.checkpoint import describe
from emostore.engine.checkpoint_config import network as network_settings
from emostore.engine.network import FRONT_END_ROWS, Network, alibi_slopes
from emostore.engine.reference import FunasrRecognizer
from emostore.errors import ModelError
from tests.engine import tiny_checkpoint

PARITY = 1e-5  # relative to the largest value


def network(folder: Path) -> Network:
    checkpoint = describe(folder)
    return Network(architecture(checkpoint), tiny_checkpoint.tensors(checkpoint), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"num_heads": 8, "num_alibi_heads": 8},
        {"conv_pos_depth": 2, "conv_pos_width": 8},  # an even kernel
        {"num_extra_tokens": 25},  # more than half of the positional kernel
        {"norm_eps": 1e-3},
        {"normalize": False},
        {"mlp_ratio": 2.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("samples", [400, 719, 720, 26_000])
def test_frames_are_those_of_funasr(tmp_path: Path, change: dict[str, Any], samples: int) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random", seed=3, change=change)
    wave = tiny_checkpoint.probe(9)[:samples]
    theirs = FunasrRecognizer.load(folder, device="cpu", threads=1).generate(wave).frames
    source = torch.from_numpy(wave)
    if change.get("normalize", True):
        source = torch.nn.functional.layer_norm(source, source.shape)
    (ours,) = network(folder).frames([source])
    assert ours.shape == theirs.shape
    assert np.abs(ours.numpy() - theirs).max() < PARITY * np.abs(theirs).max()


def test_the_front_end_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(tiny_checkpoint.shared())
    wave = torch.from_numpy(tiny_checkpoint.probe(2, 4.0))
    (whole,) = net.frames([wave])
    for rows in (1, 7, 10_000):
        monkeypatch.setitem(FRONT_END_ROWS, "cpu", rows)
        torch.testing.assert_close(net.frames([wave])[0], whole, rtol=0, atol=1e-5)


def test_slopes_are_those_of_the_paper() -> None:
    torch.testing.assert_close(alibi_slopes(8), torch.tensor([2.0**-i for i in range(1, 9)]))
    twelve = [2.0**-i for i in range(1, 9)] + [2.0**-0.5, 2.0**-1.5, 2.0**-2.5, 2.0**-3.5]
    torch.testing.assert_close(alibi_slopes(12), torch.tensor(twelve))


def test_each_head_has_its_own_scale(tmp_path: Path) -> None:
    """An implementation that ignored the scales, or mixed them up, would give the same for both."""
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    wave = torch.from_numpy(tiny_checkpoint.probe(1))
    (before,) = network(folder).frames([wave])
    stored = torch.load(folder / "model.pt", weights_only=True)
    name = "d2v_model.modality_encoders.AUDIO.alibi_scale"
    stored["model"][name] = stored["model"][name].flip(2)
    torch.save(stored, folder / "model.pt")
    (after,) = network(folder).frames([wave])
    assert (before - after).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer_norm_first", True),
        ("use_alibi_encoder", False),
        ("learned_alibi", True),
        ("extractor_mode", "default"),
        ("conv_pos_pre_ln", True),
        ("num_heads", 7),
        ("num_alibi_heads", 2),
        ("depth", 100_000),
        ("num_extra_tokens", True),
        ("norm_eps", -1.0),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    tiny_checkpoint.put(config["model_conf"], name, value)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ModelError, match=f"{name} is {value}".replace("default", "'default'")):
        architecture(describe(folder))


def test_the_large_network_has_the_published_number_of_weights() -> None:
    """162 million, as the published checkpoint has without its decoder."""
    settings = network_settings(tiny_checkpoint.config("large"), Path("config.yaml"))
    large = replace(describe(tiny_checkpoint.shared()), model_conf=settings, dim=1024)
    assert 161e6 < sum(int(np.prod(shape)) for shape in shapes(large).values()) < 163e6
