"""The bundled weights and what serves them; the contract of every recogniser is tested elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.engine.baseline import DEFAULT, BaselineRecognizer
from emostore.engine.recognizer import FloatArray, Recognition, window_bounds
from emostore.errors import AudioError, ModelError
from emostore.training import card
from emostore.training.corpus import read_wav
from tests.audio_samples import real_audio
from tests.engine.test_features import voice

MISSING = ("other", "surprised", "unknown")


@pytest.fixture(scope="module")
def model() -> BaselineRecognizer:
    return BaselineRecognizer.load()


def say(model: BaselineRecognizer, waveform: FloatArray) -> Recognition:
    (answer,) = model.recognize([waveform])
    assert isinstance(answer, Recognition), answer
    return answer


def scores(answer: Recognition) -> FloatArray:
    return np.array(EmotionScores.from_logits(answer.logits.tolist()).vector, np.float32)


def test_the_weights_are_small_and_say_what_they_are(model: BaselineRecognizer) -> None:
    assert DEFAULT.stat().st_size < 5_000_000
    assert model.info.name == "baseline"
    assert re.fullmatch(r"[0-9a-f]{12}", model.info.revision)
    assert model.info.licence == "Apache-2.0"
    assert model.info.missing == MISSING


def test_the_head_on_the_embedding_gives_the_logits(model: BaselineRecognizer) -> None:
    answer = say(model, voice(200, 4.5))
    np.testing.assert_allclose(model.head_weight @ answer.embedding + model.head_bias, answer.logits, atol=1e-4)
    assert model.head_weight.shape == (9, model.info.dim)
    assert model.head_bias.shape == (9,)


def test_classes_it_cannot_produce_score_exactly_zero(model: BaselineRecognizer) -> None:
    answer = say(model, voice(120, 2.0))
    for name in MISSING:
        assert answer.logits[EMOTIONS.index(name)] == -np.inf
        assert scores(answer)[EMOTIONS.index(name)] == 0


@pytest.mark.parametrize("seconds", [0.5, 3.0, 3.1, 12.4, 31.0])
def test_there_is_one_row_per_window(model: BaselineRecognizer, seconds: float) -> None:
    sound = voice(150, seconds)
    assert say(model, sound).windows.logits.shape == (len(window_bounds(sound.size)), 9)


def test_a_clip_of_one_window_scores_as_its_window(model: BaselineRecognizer) -> None:
    answer = say(model, voice(150, 2.7))
    np.testing.assert_allclose(answer.windows.logits[0], answer.logits, atol=1e-5)


def test_a_batch_answers_exactly_as_one_by_one(model: BaselineRecognizer) -> None:
    clips = [voice(100 + 40 * i, 1.0 + 1.7 * i, seed=i) for i in range(5)]
    for together, clip in zip(model.recognize(clips), clips, strict=True):
        assert isinstance(together, Recognition)
        alone = say(model, clip)
        assert together.logits.tobytes() == alone.logits.tobytes()
        assert together.embedding.tobytes() == alone.embedding.tobytes()
        assert together.windows.logits.tobytes() == alone.windows.logits.tobytes()


def test_a_bad_waveform_fails_alone_and_in_its_place(model: BaselineRecognizer) -> None:
    good = voice(150, 1.5)
    bad = good.copy()
    bad[7] = np.nan
    answers = model.recognize([good, bad, good[:399], good])
    assert [type(answer) for answer in answers] == [Recognition, AudioError, AudioError, Recognition]


@pytest.mark.parametrize("sound", [np.zeros(400), np.zeros(48_000), np.ones(20_000), np.zeros(16_000 * 32)])
def test_silence_gives_a_finite_answer(model: BaselineRecognizer, sound: FloatArray) -> None:
    answer = say(model, sound.astype(np.float32))
    assert np.isfinite(answer.embedding).all()
    assert scores(answer).sum() == pytest.approx(1)


def test_threads_may_share_the_model(model: BaselineRecognizer) -> None:
    clips = [voice(100 + 30 * i, 2.0) for i in range(6)]
    expected = [say(model, clip).logits.tobytes() for clip in clips]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda clip: say(model, clip).logits.tobytes(), clips * 3))
    assert found == expected * 3


def test_speech_at_a_tenth_of_the_level_scores_alike(model: BaselineRecognizer) -> None:
    folder = real_audio() / "emodb"
    for path in sorted(folder.glob("*.wav"))[::60]:
        loud = read_wav(path)
        np.testing.assert_allclose(scores(say(model, loud * np.float32(0.1))), scores(say(model, loud)), atol=0.01)


def test_an_angry_and_a_sad_clip_score_differently(model: BaselineRecognizer) -> None:
    folder = real_audio() / "emodb"
    angry, sad = (say(model, read_wav(folder / name)) for name in ("03a01Wa.wav", "03a02Ta.wav"))
    assert scores(angry)[EMOTIONS.index("angry")] > scores(sad)[EMOTIONS.index("angry")] + 0.3
    assert scores(sad)[EMOTIONS.index("sad")] > scores(angry)[EMOTIONS.index("sad")] + 0.3


def test_the_card_states_the_figures_of_the_run(model: BaselineRecognizer) -> None:
    numbers = json.loads(DEFAULT.with_name("metrics.json").read_text(encoding="utf-8"))
    text = DEFAULT.with_name("MODEL_CARD.md").read_text(encoding="utf-8")
    assert text == card.render(numbers, card.measured_speed())
    clean = numbers["out_of_fold"]["conditions"]["clean"]
    assert f"| clean | {clean['uar']:.3f} | {clean['wa']:.3f} | {clean['ece']:.3f} |" in text
    assert numbers["revision"] == model.info.revision
    assert all(name in text for name in (*MISSING, "CC0", "German"))


def test_the_figures_reach_what_is_asked_of_the_model() -> None:
    numbers = json.loads(DEFAULT.with_name("metrics.json").read_text(encoding="utf-8"))["out_of_fold"]
    assert numbers["conditions"]["clean"]["uar"] >= 0.78
    assert numbers["conditions"]["clean"]["ece"] <= 0.08
    table = np.array(numbers["confusion"])
    assert np.mean(np.diag(table) / table.sum(1)) == pytest.approx(numbers["conditions"]["clean"]["uar"], abs=1e-3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no_such_file"):
        BaselineRecognizer.load(tmp_path / "no_such_file.safetensors")


@pytest.mark.parametrize("data", [b"", b"not weights at all", b"\xff" * 64])
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        BaselineRecognizer.load(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(DEFAULT.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        BaselineRecognizer.load(path)


@pytest.mark.parametrize("tensor", ["centre", "scale", "head_weight", "head_bias"])
@pytest.mark.parametrize("fault", ["absent", "shape", "type", "nan"])
def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path, tensor: str, fault: str) -> None:
    tensors = load_file(DEFAULT)
    if fault == "absent":
        del tensors[tensor]
    elif fault == "shape":
        tensors[tensor] = tensors[tensor][:-1].copy()
    elif fault == "type":
        tensors[tensor] = tensors[tensor].astype(np.float64)
    else:
        tensors[tensor] = np.full_like(tensors[tensor], np.nan)
    path = tmp_path / "weights.safetensors"
    save_file(tensors, path)
    with pytest.raises(ModelError, match="not numbers" if fault == "nan" else tensor):
        BaselineRecognizer.load(path)


def test_serving_imports_neither_torch_nor_sklearn() -> None:
    code = (
        "import sys, numpy; from emostore.engine.baseline import BaselineRecognizer as B;"
        "B.load().recognize([numpy.zeros(16000, 'f4')]);"
        "print([name for name in ('torch', 'sklearn', 'librosa', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
