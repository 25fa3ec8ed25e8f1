"""Builds a FunASR Emotion2vec checkpoint directory with seeded random weights.

`tiny` is quick to run; `large` has the true shape of Emotion2Vec+ Large, for benchmarks. Plain random
weights give nearly the same scores to every clip, so the head is fitted to separate synthetic sounds.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from emostore.engine import slim
from emostore.engine.checkpoint import Checkpoint

LABELS = (
    "生气/angry",
    "厌恶/disgusted",
    "恐惧/fearful",
    "开心/happy",
    "中立/neutral",
    "其他/other",
    "难过/sad",
    "吃惊/surprised",
    "<unk>",
)
SAMPLE_RATE = 16_000
GAIN = 3.5  # standard deviation of a logit over clips: confidences from about 0.3 to 0.99
AUDIO = "modality_encoders.AUDIO."

SIZES: Mapping[str, Mapping[str, int]] = {
    "tiny": {"embed_dim": 64, "depth": 2, "prenet_depth": 1, "num_heads": 4, "channels": 32},
    "large": {"embed_dim": 1024, "depth": 8, "prenet_depth": 4, "num_heads": 16, "channels": 512},
}


def build(
    path: Path,
    *,
    size: Literal["tiny", "large"] = "tiny",
    seed: int = 0,
    labels: Sequence[str] = LABELS,
    masked: Sequence[str] = (),
    dim: int | None = None,
    wrap: str | None = "model",
    prefix: str = "d2v_model.",
    head: Literal["fitted", "random"] | None = "fitted",
    normalize: bool = True,
    change: Mapping[str, Any] | None = None,
    hub_name: str = "iic/emotion2vec_tiny",
    save: Mapping[str, Any] | None = None,
) -> Path:
    """Write config.yaml, configuration.json, tokens.txt and model.pt to `path` and return it.

    `labels` are the lines of tokens.txt; those whose English name is in `masked` become `unuse_N`. The
    state dict is wrapped in `wrap` and its keys, the head's excepted, carry `prefix`. `change` sets single
    settings of the network; `save` goes to `torch.save`. A random head needs no run of the network: enough
    for tests of the files.
    """
    shape = {**SIZES[size], **({"embed_dim": dim} if dim else {})}
    lines = [f"unuse_{i}" if label.split("/")[-1] in masked else label for i, label in enumerate(labels)]
    config = _config(shape, normalize)
    for name, value in (change or {}).items():
        put(config["model_conf"], name, value)
    generator = torch.Generator().manual_seed(seed)
    state = _weights(shape, config["model_conf"], generator)
    if head == "fitted":
        threads = torch.get_num_threads()
        torch.set_num_threads(1 if size == "tiny" else threads)  # so small a network only waits for a second one
        state.update(_fitted_head(config, state, len(lines), seed))
        torch.set_num_threads(threads)
    elif head == "random":
        state["proj.weight"] = torch.randn(len(lines), shape["embed_dim"], generator=generator)
        state["proj.bias"] = torch.zeros(len(lines))
    stored: Any = {key if key.startswith("proj.") else prefix + key: value for key, value in state.items()}
    path.mkdir(parents=True, exist_ok=True)
    torch.save({wrap: stored} if wrap else stored, path / "model.pt", **(save or {}))
    (path / "tokens.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # As published: 1e-05 without a decimal point, which YAML 1.1 parsers take for text.
    text = yaml.safe_dump(config, sort_keys=False).replace("1.0e-05", "1e-05")
    (path / "config.yaml").write_text(text, encoding="utf-8")
    (path / "configuration.json").write_text(json.dumps(_configuration(hub_name), indent=2), encoding="utf-8")
    return path


@lru_cache(maxsize=1)
def shared() -> Path:
    """The default tiny checkpoint, built once a process; copy it before changing it."""
    folder = Path(tempfile.mkdtemp(prefix="emostore-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build(folder / "emotion2vec_tiny")


def probe(kind: int, seconds: float = 2.0) -> NDArray[np.float32]:
    """A synthetic sound, float32 at 16 kHz: a pulsing harmonic tone with noise, another one for each `kind`."""
    rng = np.random.default_rng(1000 + kind)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = rng.uniform(80, 400) * (1 + rng.uniform(0, 0.3) * np.sin(2 * np.pi * rng.uniform(0.5, 6) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tilt = rng.uniform(0.3, 2)
    voice = sum(np.sin(n * phase) / n**tilt for n in range(1, 9))
    envelope = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(1, 8) * time)
    noise = rng.standard_normal(time.size) * rng.choice([0.01, 0.1, 1.0])
    wave = voice * envelope + noise
    return (rng.uniform(0.05, 0.5) * wave / np.abs(wave).max()).astype(np.float32)


def config(size: Literal["tiny", "large"]) -> dict[str, Any]:
    """What config.yaml says of a network of this size."""
    return _config(SIZES[size], normalize=True)


def put(conf: dict[str, Any], name: str, value: Any) -> None:
    """Set a setting of the network, wherever in `model_conf` it stands."""
    audio = conf["modalities"]["audio"]
    assert name in conf or name in audio
    (audio if name in audio else conf)[name] = value


def tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """What inference needs of a checkpoint."""
    return slim.load(checkpoint)


def _config(shape: Mapping[str, int], normalize: bool) -> dict[str, Any]:
    c = shape["channels"]
    audio = {
        "type": "AUDIO",
        "prenet_depth": shape["prenet_depth"],
        "prenet_layerdrop": 0.05,
        "prenet_dropout": 0.1,
        "start_drop_path_rate": 0.0,
        "end_drop_path_rate": 0.0,
        "num_extra_tokens": 10,
        "init_extra_token_zero": True,
        "mask_noise_std": 0.01,
        "mask_prob": 0.5,
        "mask_prob_min": None,
        "mask_length": 5,
        "local_grad_mult": 1.0,
        "use_alibi_encoder": True,
        "alibi_scale": 1.0,
        "alibi_max_pos": None,
        "learned_alibi": False,
        "learned_alibi_scale": True,
        "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False,
        "num_alibi_heads": shape["num_heads"],
        "model_depth": shape["depth"],
        "extractor_mode": "layer_norm",
        "feature_encoder_spec": f"[({c}, 10, 5)] + [({c}, 3, 2)] * 4 + [({c},2,2)] + [({c},2,2)]",
        "conv_pos_width": 95,
        "conv_pos_groups": 16,
        "conv_pos_depth": 5,
        "conv_pos_pre_ln": False,
        "decoder": {
            "decoder_dim": 32,
            "decoder_groups": 16,
            "decoder_kernel": 7,
            "decoder_layers": 1,
            "input_dropout": 0.1,
            "add_positions_masked": False,
            "add_positions_all": False,
            "decoder_residual": True,
            "projection_layers": 1,
            "projection_ratio": 2.0,
        },
    }
    conf = {
        "loss_beta": 0.0,
        "loss_scale": None,
        "depth": shape["depth"],
        "start_drop_path_rate": 0.0,
        "end_drop_path_rate": 0.0,
        "num_heads": shape["num_heads"],
        "norm_eps": 1e-05,
        "norm_affine": True,
        "encoder_dropout": 0.1,
        "post_mlp_drop": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "dropout_input": 0.0,
        "layerdrop": 0.05,
        "embed_dim": shape["embed_dim"],
        "mlp_ratio": 4.0,
        "layer_norm_first": False,
        "average_top_k_layers": shape["depth"],
        "end_of_block_targets": False,
        "clone_batch": 8,
        "normalize": normalize,
        "modalities": {"audio": audio},
    }
    return {
        "model": "Emotion2vec",
        "model_conf": conf,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "scope_map": ["d2v_model.", "none"],
    }


def _configuration(hub_name: str) -> dict[str, Any]:
    return {
        "framework": "pytorch",
        "task": "emotion-recognition",
        "model": {"type": "funasr"},
        "pipeline": {"type": "funasr-pipeline"},
        "model_name_in_hub": {"ms": hub_name, "hf": ""},
        "file_path_metas": {
            "init_param": "model.pt",
            "tokenizer_conf": {"token_list": "tokens.txt"},
            "config": "config.yaml",
        },
    }


def _weights(shape: Mapping[str, int], conf: Mapping[str, Any], generator: torch.Generator) -> dict[str, Tensor]:
    """The state dict by FunASR's names, without the head."""
    audio: Mapping[str, Any] = conf["modalities"]["audio"]
    dim, channels, heads = shape["embed_dim"], shape["channels"], conf["num_heads"]
    hidden = int(dim * conf["mlp_ratio"])
    state: dict[str, Tensor] = {}

    def normal(name: str, *size: int, gain: float = 1.0) -> None:
        fan_in = int(np.prod(size[1:]))
        state[name] = torch.randn(size, generator=generator) * gain / fan_in**0.5

    def around(name: str, centre: float, *size: int) -> None:
        state[name] = centre + 0.1 * torch.randn(size, generator=generator)

    def affine(name: str, width: int) -> None:
        around(f"{name}.weight", 1.0, width)
        around(f"{name}.bias", 0.0, width)

    def block(name: str) -> None:
        for part, width in (("attn.qkv", 3 * dim), ("attn.proj", dim), ("mlp.fc1", hidden)):
            normal(f"{name}.{part}.weight", width, dim)
            around(f"{name}.{part}.bias", 0.0, width)
        normal(f"{name}.mlp.fc2.weight", dim, hidden)
        around(f"{name}.mlp.fc2.bias", 0.0, dim)
        affine(f"{name}.norm1", dim)
        affine(f"{name}.norm2", dim)

    around(AUDIO + "extra_tokens", 0.0, 1, audio["num_extra_tokens"], dim)
    # Apart for each head, or an implementation that ignored them would go unnoticed.
    state[AUDIO + "alibi_scale"] = 0.2 + 2 * torch.rand(1, 1, heads, 1, 1, generator=generator)
    width = 1
    for i, kernel in enumerate((10, 3, 3, 3, 3, 2, 2)):
        normal(f"{AUDIO}local_encoder.conv_layers.{i}.0.weight", channels, width, kernel, gain=1.4)
        affine(f"{AUDIO}local_encoder.conv_layers.{i}.2.1", channels)
        width = channels
    affine(AUDIO + "project_features.1", channels)
    normal(AUDIO + "project_features.2.weight", dim, channels)
    around(AUDIO + "project_features.2.bias", 0.0, dim)
    groups, depth = audio["conv_pos_groups"], audio["conv_pos_depth"]
    for i in range(depth):
        name = f"{AUDIO}relative_positional_encoder.{i + 1}.0"
        normal(f"{name}.weight", dim, dim // groups, max(3, audio["conv_pos_width"] // depth))
        around(f"{name}.bias", 0.0, dim)
    for i in range(audio["prenet_depth"]):
        block(f"{AUDIO}context_encoder.blocks.{i}")
    affine(AUDIO + "context_encoder.norm", dim)
    for i in range(shape["depth"]):
        block(f"blocks.{i}")
    decoder = audio["decoder"]
    inner = decoder["decoder_dim"]
    normal(AUDIO + "decoder.blocks.0.0.weight", inner, dim // decoder["decoder_groups"], decoder["decoder_kernel"])
    around(AUDIO + "decoder.blocks.0.0.bias", 0.0, inner)
    normal(AUDIO + "decoder.proj.weight", dim, inner)
    around(AUDIO + "decoder.proj.bias", 0.0, dim)
    return state


def _fitted_head(config: Mapping[str, Any], state: Mapping[str, Tensor], rows: int, seed: int) -> dict[str, Tensor]:
    """A head under which the probes get different dominant classes, some with certainty and some without."""
    from emostore.engine.reference import network_class

    model = network_class()(model_conf=config["model_conf"], vocab_size=-1)
    model.load_state_dict(dict(state), strict=True)
    model.eval()
    with torch.inference_mode():
        embeddings = torch.stack([_embed(model, probe(kind)) for kind in range(24)]).double()
    centre = embeddings.mean(dim=0)
    _, spread, axes = torch.linalg.svd(embeddings - centre, full_matrices=False)
    kept = min(8, len(spread))
    whiten = axes[:kept] * (len(embeddings) ** 0.5 / spread[:kept, None])  # (kept, dim): unit variance on each axis
    generator = torch.Generator().manual_seed(seed + 1)
    mix = torch.randn(rows, kept, generator=generator, dtype=torch.float64)
    mix = GAIN * mix / mix.norm(dim=1, keepdim=True)
    weight = mix @ whiten
    return {"proj.weight": weight.float(), "proj.bias": (-weight @ centre).float()}


def _embed(model: Any, wave: NDArray[np.float32]) -> Tensor:
    source = torch.from_numpy(wave)
    source = torch.nn.functional.layer_norm(source, source.shape)
    frames: Tensor = model.extract_features(source.view(1, -1), padding_mask=None)["x"][0]
    return frames.mean(dim=0)
