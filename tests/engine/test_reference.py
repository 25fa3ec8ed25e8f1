from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.engine.hardware import physical_cores
from emostore.engine.recognizer import CHUNK_S, SAMPLE_RATE, FloatArray, Recognition
from emostore.engine.reference import FunasrRecognizer, chunk_bounds
from emostore.errors import AudioError, ModelError
from tests.engine import tiny_checkpoint

PARITY = 1e-5  # of a score and of an embedding, against FunASR


@pytest.fixture(scope="module")
def recognizer() -> FunasrRecognizer:
    return FunasrRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1)


def one(recognizer: FunasrRecognizer, clip: FloatArray) -> Recognition:
    (result,) = recognizer.recognize([clip])
    assert isinstance(result, Recognition), result
    return result


def scores(result: Recognition) -> EmotionScores:
    return EmotionScores.from_logits(result.logits.tolist())


@pytest.fixture
def untouched_process() -> Iterator[None]:
    """FunASR's public way changes torch's threads and the root logger."""
    threads, root = torch.get_num_threads(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    torch.set_num_threads(threads)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("untouched_process")
@pytest.mark.parametrize("options", [{}, {"masked": ["disgusted", "other"], "normalize": False}])
def test_scores_and_embeddings_are_those_of_funasr(options: dict[str, Any], tmp_path: Path) -> None:
    from funasr import AutoModel

    if options:
        folder = tiny_checkpoint.build(tmp_path / "c", head="random", seed=5, **options)
    else:
        folder = tiny_checkpoint.shared()
    ours = FunasrRecognizer.load(folder, device="cpu", threads=1)
    public: Any = AutoModel(
        model=str(folder), device="cpu", ncpu=1, disable_update=True, disable_pbar=True, log_level="ERROR"
    )
    short = tiny_checkpoint.probe(40)[:400]
    for clip in [tiny_checkpoint.probe(30 + i, s) for i, s in enumerate((0.3, 2.0, 4.123, 12.0, CHUNK_S))] + [short]:
        (theirs,) = public.generate(clip, granularity="utterance", extract_embedding=True)
        names = [label.split("/")[-1].replace("<unk>", "unknown") for label in theirs["labels"]]
        result = one(ours, clip)
        assert tuple(names) == ours.info.classes
        found = scores(result)
        np.testing.assert_allclose([found[name] for name in names], theirs["scores"], rtol=0, atol=PARITY)
        np.testing.assert_allclose(result.embedding, theirs["feats"], rtol=0, atol=PARITY)
        assert all(found[name] == 0 for name in ours.info.missing)


def test_the_tiny_checkpoint_separates_sounds(recognizer: FunasrRecognizer) -> None:
    found = [scores(one(recognizer, tiny_checkpoint.probe(kind))) for kind in range(200, 230)]
    assert len({score.dominant for score in found}) >= 5
    confidences = [score.confidence for score in found]
    assert min(confidences) < 0.5
    assert max(confidences) > 0.95


def test_the_embedding_is_the_input_of_the_head(recognizer: FunasrRecognizer) -> None:
    weight, bias = recognizer.head_weight, recognizer.head_bias
    result = one(recognizer, tiny_checkpoint.probe(1))
    np.testing.assert_allclose(weight @ result.embedding + bias, result.logits, atol=1e-4)


def test_one_window_has_the_logits_of_the_clip(recognizer: FunasrRecognizer) -> None:
    result = one(recognizer, tiny_checkpoint.probe(1, 2.5))
    np.testing.assert_allclose(result.windows.logits[0], result.logits, atol=1e-4)


def test_a_window_is_the_mean_of_its_frames(recognizer: FunasrRecognizer) -> None:
    clip = tiny_checkpoint.probe(2, 5.5)
    frames = recognizer._frames(clip)
    weight, bias = recognizer.head_weight, recognizer.head_bias
    expected = [weight @ frames[50 * i : 50 * i + 150].mean(axis=0) + bias for i in range(4)]
    np.testing.assert_allclose(one(recognizer, clip).windows.logits, expected, atol=1e-4)


def test_a_long_clip_is_the_mean_of_its_parts(recognizer: FunasrRecognizer) -> None:
    clip = np.concatenate([tiny_checkpoint.probe(kind, 10.3) for kind in range(6)])  # 61.8 s: three parts
    parts = [recognizer._frames(clip[start:end]) for start, end in chunk_bounds(clip.size)]
    result = one(recognizer, clip)
    assert len(parts) == 3
    np.testing.assert_allclose(result.embedding, np.concatenate(parts).mean(axis=0), atol=1e-5)
    weight, bias = recognizer.head_weight, recognizer.head_bias
    first = chunk_bounds(clip.size)[0][1] // SAMPLE_RATE  # a window over the seam: 1 s before, 2 s after
    seam = np.concatenate([parts[0][50 * (first - 1) :], parts[1][:100]])
    np.testing.assert_allclose(result.windows.logits[first - 1], weight @ seam.mean(axis=0) + bias, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.025, 29.99, 30.0, 30.01, 30.5, 59.9, 60.0, 60.01, 89.1, 90.3, 3599.7, 14400.0])
def test_parts_cover_the_clip_and_are_neither_long_nor_tiny(seconds: float) -> None:
    samples = int(seconds * SAMPLE_RATE)
    bounds = chunk_bounds(samples)
    assert (bounds[0][0], bounds[-1][1]) == (0, samples)
    assert [end for _, end in bounds[:-1]] == [start for start, _ in bounds[1:]]
    assert all(start % SAMPLE_RATE == 0 for start, _ in bounds)
    lengths = [(end - start) / SAMPLE_RATE for start, end in bounds]
    assert max(lengths) <= CHUNK_S
    if seconds <= CHUNK_S:
        assert len(bounds) == 1
    else:
        assert min(lengths) >= 14


def test_absurd_loudness_is_an_error_of_that_clip(recognizer: FunasrRecognizer) -> None:
    clip = tiny_checkpoint.probe(1)
    loud, fine = recognizer.recognize([clip * np.float32(1e37), clip])
    assert isinstance(loud, AudioError)
    assert "full scale" in str(loud)
    assert isinstance(fine, Recognition)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("d2v_model.blocks.1.norm2.weight"), r"lacks the tensor blocks\.1\.norm2\.weight"),
        (lambda tensors: tensors.update({"d2v_model.blocks.0.norm1.bias": torch.zeros(3)}), r"blocks\.0\.norm1\.bias"),
        (lambda tensors: tensors["d2v_model.blocks.0.norm1.bias"].fill_(torch.nan), "not numbers"),
    ],
)
def test_weights_that_do_not_fit_the_network_are_named(tmp_path: Path, change: Any, said: str) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    tensors = torch.load(folder / "model.pt", weights_only=True)["model"]
    change(tensors)
    torch.save(tensors, folder / "model.pt")
    with pytest.raises(ModelError, match=said):
        FunasrRecognizer.load(folder, threads=1)


def test_a_network_that_cannot_be_built_is_a_named_error(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(text.replace("mlp_ratio: 4.0", "mlp_ratio: null"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.yaml describes cannot be built"):
        FunasrRecognizer.load(folder, threads=1)


def test_half_precision_weights_and_pretraining_extras_load(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    full = one(FunasrRecognizer.load(folder, device="cpu", threads=1), tiny_checkpoint.probe(1))
    tensors = torch.load(folder / "model.pt", weights_only=True)["model"]
    torch.save({"model": {k: v.half() for k, v in tensors.items()} | {"extra": torch.ones(1)}}, folder / "model.pt")
    half = one(FunasrRecognizer.load(folder, device="cpu", threads=1), tiny_checkpoint.probe(1))
    np.testing.assert_allclose(half.embedding, full.embedding, atol=0.02)


def test_loading_draws_nothing_from_the_random_state() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    FunasrRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1)
    assert torch.equal(torch.rand(1), expected)


def test_replacing_the_file_does_not_disturb_a_loaded_model(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint.shared(), tmp_path / "c"))
    recognizer = FunasrRecognizer.load(folder, device="cpu", threads=1)
    before = one(recognizer, tiny_checkpoint.probe(1))
    (folder / "model.pt").write_bytes(b"")  # truncated in place
    np.testing.assert_array_equal(one(recognizer, tiny_checkpoint.probe(1)).logits, before.logits)


_FRESH = """
import json, logging, socket, sys
def refuse(*args, **kwargs): raise AssertionError("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
import emostore.engine.reference, emostore.engine.registry, emostore.engine.checkpoint
early = sorted({"torch", "funasr"} & set(sys.modules))
from emostore.config import Settings
import torch
torch.set_num_threads(1)
recognizer = emostore.engine.registry.load_recognizer(Settings(model=sys.argv[1], threads=2))
import numpy as np
result = recognizer.recognize([np.random.default_rng(0).standard_normal(16000).astype(np.float32)])[0]
print(json.dumps({"early": early, "threads": torch.get_num_threads(), "logits": result.logits.tolist(),
                  "handlers": len(logging.getLogger().handlers), "level": logging.getLogger().level}))
"""


def test_a_fresh_process_stays_offline_lazy_quiet_and_keeps_its_threads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, str(tiny_checkpoint.shared())],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        cwd=Path(__file__).parents[2],
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)  # nothing else may be printed to standard output
    assert said["early"] == []
    assert said["threads"] == 2
    assert (said["handlers"], said["level"]) == (0, logging.WARNING)
    assert len(said["logits"]) == len(EMOTIONS)


def test_threads_are_the_physical_cores_by_default() -> None:
    before = torch.get_num_threads()
    try:
        FunasrRecognizer.load(tiny_checkpoint.shared(), device="cpu")
        assert torch.get_num_threads() == physical_cores()
    finally:
        torch.set_num_threads(before)
