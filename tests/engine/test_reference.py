"""The reference engine is FunASR: its answers, and nothing of what it does to a process."""

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
from emostore.engine.queue import PausingRecognizer
from emostore.engine.recognizer import CHUNK_S, FloatArray, Recognition
from emostore.engine.reference import FunasrRecognizer
from emostore.errors import ModelError
from tests.engine import tiny_checkpoint

PARITY = 1e-5  # of a score and of an embedding, against FunASR's public interface


@pytest.fixture(scope="module")
def recognizer() -> FunasrRecognizer:
    return FunasrRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1)


def one(recognizer: FunasrRecognizer, clip: FloatArray) -> Recognition:
    (result,) = recognizer.recognize([clip])
    assert isinstance(result, Recognition), result
    return result


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
def test_answers_are_those_of_funasrs_public_interface(options: dict[str, Any], tmp_path: Path) -> None:
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
    for clip in [tiny_checkpoint.probe(30 + i, s) for i, s in enumerate((0.3, 4.123, CHUNK_S))] + [short]:
        (theirs,) = public.generate(clip, granularity="utterance", extract_embedding=True)
        answer = ours.generate(clip)
        assert list(answer.scores) == theirs["labels"]
        np.testing.assert_array_equal(list(answer.scores.values()), theirs["scores"])
        np.testing.assert_array_equal(answer.frames.mean(axis=0), theirs["feats"])
        names = [label.split("/")[-1].replace("<unk>", "unknown") for label in theirs["labels"]]
        result = one(ours, clip)
        assert tuple(names) == ours.info.classes
        found = EmotionScores.from_logits(result.logits.tolist())
        np.testing.assert_allclose([found[name] for name in names], theirs["scores"], rtol=0, atol=PARITY)
        np.testing.assert_allclose(result.embedding, theirs["feats"], rtol=0, atol=PARITY)
        assert all(found[name] == 0 for name in ours.info.missing)


def test_a_window_is_the_mean_of_its_frames(recognizer: FunasrRecognizer) -> None:
    clip = tiny_checkpoint.probe(2, 5.5)
    frames = recognizer.generate(clip).frames
    weight, bias = recognizer.head_weight, recognizer.head_bias
    expected = [weight @ frames[50 * i : 50 * i + 150].mean(axis=0) + bias for i in range(4)]
    np.testing.assert_allclose(one(recognizer, clip).windows.logits, expected, atol=1e-4)


def test_it_pauses_between_the_stretches_of_a_long_recording(recognizer: FunasrRecognizer) -> None:
    assert isinstance(recognizer, PausingRecognizer)
    clip = np.concatenate([tiny_checkpoint.probe(kind, 14.0) for kind in range(10)])  # 140 s: more than two passes
    pauses: list[None] = []
    (result,) = recognizer.recognize_pausing([clip], lambda: pauses.append(None))
    assert isinstance(result, Recognition)
    assert pauses
    assert recognizer.precision == "float32"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("d2v_model.blocks.1.norm2.weight"), r"lacks the tensor blocks\.1\.norm2\.weight"),
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


def test_what_funasr_cannot_build_is_a_named_error(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    assert "start_drop_path_rate: 0.0" in text
    text = text.replace("start_drop_path_rate: 0.0", "start_drop_path_rate: many")  # not looked at by this app
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.yaml describes cannot be built"):
        FunasrRecognizer.load(folder, threads=1)


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
import emostore.engine.reference, emostore.engine.registry
early = sorted({"torch", "funasr"} & set(sys.modules))
from emostore.config import Settings
import torch
torch.set_num_threads(1)
recognizer = emostore.engine.registry.load_recognizer(Settings(model="funasr:" + sys.argv[1], threads=2))
import numpy as np
result = recognizer.recognize([np.random.default_rng(0).standard_normal(16000).astype(np.float32)])[0]
print(json.dumps({"early": early, "late": "funasr" in sys.modules, "threads": torch.get_num_threads(),
                  "logits": result.logits.tolist(), "handlers": len(logging.getLogger().handlers),
                  "level": logging.getLogger().level}))
"""


def test_a_fresh_process_stays_offline_lazy_quiet_and_keeps_its_threads(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, str(tiny_checkpoint.shared())],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2", "EMOSTORE_DATA_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)  # nothing else may be printed to standard output
    assert (said["early"], said["late"]) == ([], True)
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
