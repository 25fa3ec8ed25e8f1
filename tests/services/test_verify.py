"""`models verify`: what agrees passes, and whatever is tampered with does not."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from emostore.__main__ import app
from emostore.config import settings
from emostore.emotions import EMOTIONS
from emostore.engine import registry, slim
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.recognizer import FloatArray, Recognition, Windows
from emostore.engine.reference import FunasrRecognizer
from emostore.services import verify
from tests.audio_samples import write_wav
from tests.engine import tiny_checkpoint

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def short_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "LENGTHS_S", (0.025, 0.7, 3.3))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMOSTORE_THREADS", "1")
    monkeypatch.setenv("EMOSTORE_PRECISION", "float32")
    settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, ["models", "verify", *map(str, arguments)])
    settings.cache_clear()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint that calls itself Emotion2Vec+ Large, with an example of the length of the real one."""
    folder = tiny_checkpoint.build(tmp_path_factory.mktemp("verify") / "c", hub_name="iic/emotion2vec_plus_large")
    (folder / "example").mkdir()
    sound = tiny_checkpoint.probe(3, verify.EXAMPLE_SAMPLES / 16_000 + 0.1)[: verify.EXAMPLE_SAMPLES]
    write_wav(folder / "example/test.wav", sound[None])
    return folder


def published(folder: Path) -> dict[str, float]:
    """What FunASR's network says of the example."""
    sound = verify._example(verify.describe(folder))
    answer = FunasrRecognizer.load(folder, device="cpu", threads=1).generate(sound)
    return dict(zip(EMOTIONS, answer.scores.values(), strict=True))


def test_a_good_checkpoint_agrees_with_funasr(run: Run) -> None:
    result = run("--model", tiny_checkpoint.shared())
    assert result.exit_code == 0, result.output
    assert "Everything agrees." in result.stdout
    assert "DIFFERS" not in result.stdout
    assert [line.split("  ")[0] for line in result.stdout.splitlines() if line.endswith("agrees")] == [
        "tone 1",
        "tone 2",
        "tone 3",
    ]
    assert "no example/test.wav" in result.stdout


def test_json_says_the_same_with_every_number(run: Run) -> None:
    result = run("--model", tiny_checkpoint.shared(), "--json")
    said = json.loads(result.stdout)
    assert said["agrees"] is True
    assert [each["seconds"] for each in said["comparisons"]] == [0.025, 0.7, 3.3]
    assert all(0 <= each["score_error"] <= 1e-5 for each in said["comparisons"])
    assert said["revision"] == verify.describe(tiny_checkpoint.shared()).revision


def test_the_precision_of_the_settings_is_compared_beside_32_bit_floats(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOSTORE_PRECISION", "bfloat16")
    result = run("--model", tiny_checkpoint.shared(), "--json")
    said = json.loads(result.stdout)
    assert [each["precision"] for each in said["comparisons"]] == ["float32"] * 3 + ["bfloat16"] * 3
    assert all(each["embedding_error"] > 1e-5 for each in said["comparisons"][3:])  # it really was another one


def changed(tensor: str) -> Callable[..., dict[str, Any]]:
    """The slim weights, one tensor a hundredth off."""
    real = slim.Loading.tensors

    def tensors(self: slim.Loading, keep: slim.Kept = "float32") -> dict[str, Any]:
        found = real(self, keep)
        return found | {tensor: found[tensor] * 1.01}

    return tensors


@pytest.mark.parametrize("tensor", ["blocks.1.mlp.fc1.weight", "modality_encoders.AUDIO.alibi_scale", "proj.weight"])
def test_other_weights_than_funasr_has_do_not_agree(run: Run, monkeypatch: pytest.MonkeyPatch, tensor: str) -> None:
    monkeypatch.setattr(slim.Loading, "tensors", changed(tensor))
    result = run("--model", tiny_checkpoint.shared())
    assert result.exit_code == 1, result.output
    assert "DIFFERS" in result.stdout
    assert "NOT EVERYTHING AGREES." in result.stdout


Answer = Callable[[Recognition], Recognition]
TAMPERED: dict[str, Answer] = {
    "scores": lambda good: replace(good, logits=good.logits[::-1].copy()),
    "windows": lambda good: replace(good, windows=Windows(good.windows.logits[:, ::-1].copy(), 1.0, 3.0)),
    "embedding": lambda good: replace(good, embedding=good.embedding * np.float32(1.0001)),
    "number of windows": lambda good: replace(
        good, windows=Windows(np.repeat(good.windows.logits, 2, axis=0), 1.0, 3.0)
    ),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_an_engine_that_answers_otherwise_does_not_agree(
    run: Run, monkeypatch: pytest.MonkeyPatch, change: Answer
) -> None:
    real = Emotion2vecRecognizer.recognize

    def recognize(self: Emotion2vecRecognizer, waveforms: Sequence[FloatArray], **kwargs: Any) -> list[Any]:
        return [change(answer) for answer in real(self, waveforms, **kwargs) if isinstance(answer, Recognition)]

    monkeypatch.setattr(Emotion2vecRecognizer, "recognize", recognize)
    assert run("--model", tiny_checkpoint.shared()).exit_code == 1


def test_published_figures_are_compared_by_their_logarithms(
    run: Run, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = published(large)
    monkeypatch.setattr(verify, "PUBLISHED", figures)
    result = run("--model", large, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert [each["emotion"] for each in said["figures"]] == list(EMOTIONS)
    assert said["comparisons"][-1]["sound"] == "example/test.wav"
    least = min(figures, key=figures.__getitem__)
    monkeypatch.setattr(verify, "PUBLISHED", figures | {least: figures[least] ** 1.03})
    result = run("--model", large)
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "DIFFERS" in line]
    assert line.startswith(least)


def test_the_real_published_figures_are_not_those_of_random_weights(run: Run, large: Path) -> None:
    assert run("--model", large).exit_code == 1


def test_an_example_of_another_length_is_not_the_published_one(run: Run, large: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(large, tmp_path / "c")
    write_wav(folder / "example/test.wav", tiny_checkpoint.probe(3, 1.0)[None])
    result = run("--model", folder)
    assert result.exit_code == 0, result.output
    assert "another example/test.wav" in result.stdout


def test_published_figures_sum_to_one_and_differ_from_another_run_by_less_than_the_limit() -> None:
    assert set(verify.PUBLISHED) == set(EMOTIONS)
    assert math.fsum(verify.PUBLISHED.values()) == pytest.approx(1)
    another_run = {"angry": 1.0, "happy": 1.8145565605642844e-10, "unknown": 5.661997978550056e-21}
    assert all(verify._near(math.log(value), math.log(verify.PUBLISHED[name])) for name, value in another_run.items())
    assert not verify._near(math.log(2e-21), math.log(verify.PUBLISHED["unknown"]))


@pytest.mark.parametrize(
    ("model", "said"), [("baseline", "has no checkpoint"), ("auto", "is not on this machine"), ("/nowhere", "neither")]
)
def test_what_cannot_be_verified_is_said_and_the_exit_code_is_2(
    run: Run, model: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("MODELSCOPE_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    result = run("--model", model)
    assert result.exit_code == 2
    assert said in result.stderr


def test_funasr_and_auto_mean_the_large_model(tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(large, tmp_path / "models" / "emotion2vec_plus_large")
    for model in ("auto", "funasr", "emotion2vec_plus_large", f"funasr:{folder}", str(folder)):
        wanted = settings().model_copy(update={"model": model, "data_dir": tmp_path})
        assert registry.checkpoint_folder(wanted) == folder
