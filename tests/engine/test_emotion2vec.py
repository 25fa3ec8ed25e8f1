from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emostore.config import Precision
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.engine import batching
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.hardware import physical_cores
from emostore.engine.queue import PausingRecognizer
from emostore.engine.recognizer import CHUNK_S, SAMPLE_RATE, FloatArray, Recognition
from emostore.engine.reference import FunasrRecognizer
from emostore.errors import AudioError, EmostoreError, ModelError
from tests.engine import tiny_checkpoint

PARITY = 1e-5  # of a score and of an embedding, against FunASR


@pytest.fixture(scope="module")
def recognizer() -> Emotion2vecRecognizer:
    return Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision="float32")


def one(recognizer: Emotion2vecRecognizer, clip: FloatArray) -> Recognition:
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
    ours = Emotion2vecRecognizer.load(folder, device="cpu", threads=1, precision="float32")
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


def test_the_tiny_checkpoint_separates_sounds(recognizer: Emotion2vecRecognizer) -> None:
    found = [scores(one(recognizer, tiny_checkpoint.probe(kind))) for kind in range(200, 230)]
    assert len({score.dominant for score in found}) >= 5
    confidences = [score.confidence for score in found]
    assert min(confidences) < 0.5
    assert max(confidences) > 0.95


def test_the_embedding_is_the_input_of_the_head(recognizer: Emotion2vecRecognizer) -> None:
    weight, bias = recognizer.head_weight, recognizer.head_bias
    result = one(recognizer, tiny_checkpoint.probe(1))
    np.testing.assert_allclose(weight @ result.embedding + bias, result.logits, atol=1e-4)


def test_one_window_has_the_logits_of_the_clip(recognizer: Emotion2vecRecognizer) -> None:
    result = one(recognizer, tiny_checkpoint.probe(1, 2.5))
    np.testing.assert_allclose(result.windows.logits[0], result.logits, atol=1e-4)


def frames(recognizer: Emotion2vecRecognizer, clip: FloatArray) -> FloatArray:
    return np.concatenate(list(recognizer.frames(clip)))


def test_a_window_is_the_mean_of_its_frames(recognizer: Emotion2vecRecognizer) -> None:
    clip = tiny_checkpoint.probe(2, 5.5)
    every = frames(recognizer, clip)
    weight, bias = recognizer.head_weight, recognizer.head_bias
    expected = [weight @ every[50 * i : 50 * i + 150].mean(axis=0) + bias for i in range(4)]
    np.testing.assert_allclose(one(recognizer, clip).windows.logits, expected, atol=1e-4)


def test_frames_are_those_of_funasr(recognizer: Emotion2vecRecognizer) -> None:
    reference = FunasrRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1)
    clip = tiny_checkpoint.probe(31, 7.3)
    theirs = reference.generate(clip).frames
    assert np.abs(frames(recognizer, clip) - theirs).max() < PARITY * np.abs(theirs).max()


@pytest.fixture(scope="module")
def long_clip() -> FloatArray:
    return np.concatenate([tiny_checkpoint.probe(kind, 10.3) for kind in range(7)])  # 72.1 s: four stretches


def test_a_long_clip_is_pooled_from_its_mixed_stretches(
    recognizer: Emotion2vecRecognizer, long_clip: FloatArray
) -> None:
    every = frames(recognizer, long_clip)
    result = one(recognizer, long_clip)
    assert len(every) == (long_clip.size - 400) // 320 + 1
    np.testing.assert_allclose(result.embedding, every.mean(axis=0), atol=1e-5)
    weight, bias = recognizer.head_weight, recognizer.head_bias
    starts = range(0, 50 * len(result.windows.logits), 50)
    expected = [weight @ every[start : start + 150].mean(axis=0) + bias for start in starts]
    np.testing.assert_allclose(result.windows.logits, expected, atol=1e-4)


def test_where_stretches_join_the_trajectory_has_no_seam(
    recognizer: Emotion2vecRecognizer, long_clip: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From second to second, scores move no more at a join than elsewhere, and about as in one pass over the whole."""
    joined = one(recognizer, long_clip).windows.logits
    starts = [stretch.start / 50 for stretch in batching.cut(0, (long_clip.size - 400) // 320 + 1)[1:]]
    near = np.array([any(-4 <= second - start <= 2 for start in starts) for second in range(len(joined) - 1)])
    monkeypatch.setattr(batching, "CHUNK_FRAMES", 10_000)
    whole = one(recognizer, long_clip).windows.logits
    assert not np.allclose(joined, whole, atol=0.1)
    steps = np.abs(np.diff(joined, axis=0)).max(axis=1)
    assert near.sum() > 15
    assert steps[near].max() < steps[~near].max()
    added = np.abs(np.diff(joined - whole, axis=0)).max(axis=1)
    assert added.max() < steps.max() / 3


def test_a_mapped_recording_is_read_a_stretch_at_a_time(tmp_path: Path) -> None:
    """Ten minutes in a file: what is held of it at a time is bounded, however long it is."""
    path = tmp_path / "long.f32"
    path.write_bytes(np.tile(tiny_checkpoint.probe(1, 10.0), 60).tobytes())
    mapped = np.memmap(path, np.float32, "r")
    recognizer = Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision="float32")
    tracemalloc.start()
    result = one(recognizer, mapped)
    longest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result.windows.logits) == 598
    assert longest < 60 * SAMPLE_RATE * 8 * 4  # a minute in float64 and what is made of it


def test_absurd_loudness_is_that_of_the_quiet_clip_or_an_error_of_its_own(
    recognizer: Emotion2vecRecognizer, tmp_path: Path
) -> None:
    clip = tiny_checkpoint.probe(1)
    expected = one(recognizer, clip)
    loud, fine = recognizer.recognize([clip * np.float32(1e37), clip])
    assert isinstance(loud, Recognition)
    assert isinstance(fine, Recognition)
    np.testing.assert_allclose(loud.logits, expected.logits, atol=0.02)  # its square vanishes beside no epsilon
    np.testing.assert_array_equal(fine.logits, expected.logits)
    folder = tiny_checkpoint.build(tmp_path / "c", head="random", normalize=False)
    unnormalised = Emotion2vecRecognizer.load(folder, device="cpu", threads=1, precision="float32")
    loud, fine = unnormalised.recognize([clip * np.float32(1e38), clip])
    assert isinstance(loud, AudioError)
    assert "full scale" in str(loud)
    assert isinstance(fine, Recognition)


class _Scarce:
    """A network with room for so many frames a pass."""

    def __init__(self, network: Any, room: int, error: BaseException) -> None:
        self._network, self._room, self._error = network, room, error
        self.passes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def frames(self, waveforms: list[torch.Tensor]) -> list[torch.Tensor]:
        needed = sum(self._network.count_frames(waveform.numel()) for waveform in waveforms)
        self.passes.append(needed)
        if needed > self._room:
            raise self._error
        found: list[torch.Tensor] = self._network.frames(waveforms)
        return found


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_halves_the_batch_then_the_clip(
    error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision="float32")
    clips = [tiny_checkpoint.probe(kind, seconds) for kind, seconds in enumerate((20.0, 2.0, 3.0, 2.5))]
    expected = [one(recognizer, clip) for clip in clips]
    scarce = _Scarce(recognizer._network, 600, error)
    monkeypatch.setattr(recognizer, "_network", scarce)
    results = recognizer.recognize(clips)
    for result, wanted in zip(results[1:], expected[1:], strict=True):  # what fits is what it is without haste
        assert isinstance(result, Recognition)
        np.testing.assert_allclose(result.logits, wanted.logits, atol=1e-4)
    assert isinstance(results[0], Recognition)  # from shorter parts, which hear less of each other
    assert np.corrcoef(results[0].logits, expected[0].logits)[0, 1] > 0.9
    assert "done in two parts" in caplog.text
    scarce._room = 50
    assert isinstance(recognizer.recognize(clips[1:2])[0], ModelError)
    with pytest.raises(ModelError, match="too little free memory"):
        list(recognizer.frames(clips[1]))


def test_another_fault_of_the_network_is_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision="float32")
    monkeypatch.setattr(recognizer, "_network", _Scarce(recognizer._network, 0, RuntimeError("a driver is broken")))
    with pytest.raises(RuntimeError, match="driver"):
        recognizer.recognize([tiny_checkpoint.probe(1)])


def test_the_queue_may_pause_it_between_passes(recognizer: Emotion2vecRecognizer, long_clip: FloatArray) -> None:
    asked: list[Recognition | EmostoreError] = []
    (paused,) = recognizer.recognize_pausing(
        [np.tile(long_clip, 2)], lambda: asked.extend(recognizer.recognize([tiny_checkpoint.probe(4)]))
    )
    (whole,) = recognizer.recognize([np.tile(long_clip, 2)])
    assert isinstance(paused, Recognition)
    assert isinstance(whole, Recognition)
    assert asked
    np.testing.assert_array_equal(paused.logits, whole.logits)
    assert isinstance(recognizer, PausingRecognizer)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_sixteen_bits_decide_as_thirty_two_do(recognizer: Emotion2vecRecognizer, precision: Precision) -> None:
    short = Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision=precision)
    assert (recognizer.precision, short.precision) == ("float32", precision)
    clips = [tiny_checkpoint.probe(kind, 2.0 + kind % 5) for kind in range(300, 340)]
    for clip in clips[:5]:
        full, rounded = frames(recognizer, clip), frames(short, clip)
        cosine = (full * rounded).sum(axis=1) / np.linalg.norm(full, axis=1) / np.linalg.norm(rounded, axis=1)
        assert cosine.min() >= 0.999
    pairs = zip(recognizer.recognize(clips), short.recognize(clips), strict=True)
    for exact, result in pairs:
        assert isinstance(exact, Recognition)
        assert isinstance(result, Recognition)
        wanted, found = scores(exact), scores(result)
        assert found.dominant == wanted.dominant or wanted.margin <= 0.02
        upset, upset_found = (each["angry"] + each["disgusted"] for each in (wanted, found))
        assert (upset > 0.6) == (upset_found > 0.6) or abs(upset - 0.6) <= 0.02


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
        Emotion2vecRecognizer.load(folder, threads=1)


def test_a_network_that_cannot_be_built_is_a_named_error(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(text.replace("mlp_ratio: 4.0", "mlp_ratio: null"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.yaml describes cannot be run: mlp_ratio is None"):
        Emotion2vecRecognizer.load(folder, threads=1)


def test_half_precision_weights_and_pretraining_extras_load(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random")
    full = one(
        Emotion2vecRecognizer.load(folder, device="cpu", threads=1, precision="float32"), tiny_checkpoint.probe(1)
    )
    tensors = torch.load(folder / "model.pt", weights_only=True)["model"]
    torch.save({"model": {k: v.half() for k, v in tensors.items()} | {"extra": torch.ones(1)}}, folder / "model.pt")
    half = one(
        Emotion2vecRecognizer.load(folder, device="cpu", threads=1, precision="float32"), tiny_checkpoint.probe(1)
    )
    np.testing.assert_allclose(half.embedding, full.embedding, atol=0.02)


def test_loading_draws_nothing_from_the_random_state() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision="float32")
    assert torch.equal(torch.rand(1), expected)


def test_replacing_the_file_does_not_disturb_a_loaded_model(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint.shared(), tmp_path / "c"))
    recognizer = Emotion2vecRecognizer.load(folder, device="cpu", threads=1, precision="float32")
    before = one(recognizer, tiny_checkpoint.probe(1))
    (folder / "model.pt").write_bytes(b"")  # truncated in place
    np.testing.assert_array_equal(one(recognizer, tiny_checkpoint.probe(1)).logits, before.logits)


_FRESH = """
import json, logging, socket, sys
def refuse(*args, **kwargs): raise AssertionError("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
import emostore.engine.emotion2vec, emostore.engine.registry, emostore.engine.checkpoint
early = sorted({"torch", "funasr"} & set(sys.modules))
from emostore.config import Settings
import torch
torch.set_num_threads(1)
recognizer = emostore.engine.registry.load_recognizer(Settings(model=sys.argv[1], threads=2))
import numpy as np
result = recognizer.recognize([np.random.default_rng(0).standard_normal(16000).astype(np.float32)])[0]
print(json.dumps({"early": early, "late": "funasr" in sys.modules, "threads": torch.get_num_threads(),
                  "logits": result.logits.tolist(),
                  "handlers": len(logging.getLogger().handlers), "level": logging.getLogger().level}))
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
    assert (said["early"], said["late"]) == ([], False)
    assert said["threads"] == 2
    assert (said["handlers"], said["level"]) == (0, logging.WARNING)
    assert len(said["logits"]) == len(EMOTIONS)


def test_threads_are_the_physical_cores_by_default() -> None:
    before = torch.get_num_threads()
    try:
        Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu")
        assert torch.get_num_threads() == physical_cores()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 2), ("50000 100000", 1), ("150000 100000", 2), ("800000 100000", 2), ("", 2)]
)
def test_cores_are_counted_without_hyper_threads_and_within_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    blocks = [f"processor\t: {i}\nphysical id\t: 0\ncore id\t\t: {i % 2}\n" for i in range(4)]
    blocks += ["processor\t: 4\nphysical id\t: 1\ncore id\t\t: 0\n"]  # not ours
    (tmp_path / "cpuinfo").write_text("\n".join(blocks))
    (tmp_path / "quota").write_text(quota)
    assert physical_cores(tmp_path / "cpuinfo", tmp_path / "quota") == cores


def test_cores_without_cpuinfo_are_the_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert physical_cores(tmp_path / "none", tmp_path / "none") == 6
