"""How the bundled model is trained and measured: no leak, no chance, figures as others compute them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from emostore.engine.recognizer import SAMPLE_RATE, FloatArray
from emostore.errors import AudioError
from emostore.training import augment, metrics
from emostore.training.copies import CLEAN, PLAIN, TEST, TESTING, TRAINING, Copies, degrade, make_copies
from emostore.training.corpus import CLASSES, Utterance, parse_name, read_corpus, read_wav
from emostore.training.evaluate import figures, leave_one_speaker_out
from emostore.training.model import best_temperature, choose, cooled, fit, log_loss, logits, softmax
from emostore.training.train import main, save_weights
from tests.audio_samples import real_audio, tone, write_wav


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def speech(seed: int, seconds: float = 1.2) -> FloatArray:
    """Noise in syllables around a pitch of its own: enough for code that must not care."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hum = sum(np.sin(2 * np.pi * k * (90 + 23 * seed) * time) / k for k in range(1, 12))
    noise = random(seed).standard_normal(time.size)
    return np.asarray((0.1 * hum + 0.01 * noise) * (1 - np.cos(2 * np.pi * 4 * time)), np.float32)


@pytest.fixture(scope="module")
def corpus() -> list[Utterance]:
    """Four speakers, six classes, two utterances each."""
    names = [(who, label, k) for who in ("03", "08", "09", "10") for label in CLASSES for k in range(2)]
    return [Utterance(f"{who}{label}{k}", who, "a01", label, speech(i)) for i, (who, label, k) in enumerate(names)]


@pytest.fixture(scope="module")
def copies(corpus: list[Utterance]) -> Copies:
    return make_copies(corpus, 1, {"crop": 1, "babble": 1, "mixture": 1}, workers=1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("03a01Fa.wav", ("03", "a01", "happy")),
        ("16b10Wb.wav", ("16", "b10", "angry")),
        ("08a05Tb.wav", ("08", "a05", "sad")),
        ("09a02Ea.wav", ("09", "a02", "disgusted")),
        ("10b09Ad.wav", ("10", "b09", "fearful")),
        ("11a07Nd.wav", ("11", "a07", "neutral")),
        ("12a01Lb.wav", ("12", "a01", None)),
    ],
)
def test_a_file_name_says_who_what_and_how(name: str, expected: tuple[str, str, str | None]) -> None:
    assert parse_name(name) == expected


@pytest.mark.parametrize("name", ["speech.wav", "03a01Xa.wav", "3a01Fa.wav", "03a01Fab.wav"])
def test_a_stranger_among_the_files_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        parse_name(name)


def test_boredom_is_left_out_and_the_rest_sorted(tmp_path: Path) -> None:
    for name in ("09a02Ea.wav", "03a01Fa.wav", "12a01Lb.wav"):
        write_wav(tmp_path / name, tone(200, 0.3)[None])
    assert [(each.speaker, each.label) for each in read_corpus(tmp_path)] == [("03", "happy"), ("09", "disgusted")]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="holds no EmoDB recordings"):
        read_corpus(tmp_path)


def test_stereo_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="2 channels"):
        read_wav(write_wav(tmp_path / "stereo.wav", np.stack([tone(200, 0.1)] * 2)))
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match=r"broken\.wav is not a readable"):
        read_wav(tmp_path / "broken.wav")


def test_the_whole_corpus_has_ten_speakers_and_454_utterances() -> None:
    corpus = read_corpus(real_audio() / "emodb")
    assert len(corpus) == 454
    assert len({each.speaker for each in corpus}) == 10
    counts = {name: sum(each.label == name for each in corpus) for name in CLASSES}
    assert counts == {"angry": 127, "disgusted": 46, "fearful": 69, "happy": 71, "neutral": 79, "sad": 62}


@pytest.mark.parametrize("name", list(PLAIN))
def test_a_degradation_repeats_itself_and_only_with_its_seed(name: str) -> None:
    sound = speech(3)
    first, again, other = (PLAIN[name](sound, random(seed)) for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert sound.tobytes() == speech(3).tobytes(), "the input was changed"


@pytest.mark.parametrize("encoder", list(augment.CODECS))
def test_each_codec_gives_the_same_speech_back(encoder: str) -> None:
    sound = speech(2)
    rate, bits = augment.CODECS[encoder][1][0], augment.CODECS[encoder][2][-1]
    back = augment.through_codec(sound, encoder, rate, bits)
    size = min(sound.size, back.size)
    match = np.correlate(back[:size], sound[:size], "full").max()
    assert match / np.linalg.norm(back[:size]) / np.linalg.norm(sound[:size]) > 0.4


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_noise_has_the_asked_ratio(snr_db: float) -> None:
    sound = speech(1)
    added = augment.add_noise(sound, augment.coloured("pink", sound.size, random()), snr_db) - sound
    assert 20 * np.log10(sound.std() / added.std()) == pytest.approx(snr_db, abs=0.05)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_stretching_keeps_the_pitch(factor: float) -> None:
    longer = augment.stretch(tone(200, 1.0), factor)
    assert longer.size == int(SAMPLE_RATE * factor)
    spectrum = np.abs(np.fft.rfft(longer * np.hanning(longer.size)))
    assert spectrum.argmax() * SAMPLE_RATE / longer.size == pytest.approx(200, abs=3)


def test_each_family_of_copies_can_be_made_again(corpus: list[Utterance]) -> None:
    for family in (CLEAN, *TRAINING, *(TEST + name for name in TESTING)):
        first, who = degrade(corpus, 7, 5, family, 0)
        again, _ = degrade(corpus, 7, 5, family, 0)
        assert first.tobytes() == again.tobytes(), family
        assert who[0] == corpus[5].speaker


def test_babble_names_everyone_heard_in_it(corpus: list[Utterance]) -> None:
    _, who = degrade(corpus, 1, 0, "babble", 0)
    assert len(set(who)) == 3
    assert who[0] == "03"


def test_nothing_of_a_test_speaker_is_left_in_training(copies: Copies) -> None:
    inside = copies.without(["08"])
    assert inside.label.size
    assert all("08" not in who for who in inside.speakers)
    assert not any(family.startswith(TEST) for family in inside.family)
    dropped = [who for who in copies.speakers if "08" in who and who[0] != "08"]
    assert dropped, "some babble of others must hold the test speaker, or this tests nothing"


def test_selection_and_model_do_not_depend_on_the_test_speaker(copies: Copies) -> None:
    others = ["03", "09", "10"]
    spoiled = copies.features.copy()
    heard = np.array(["08" in who for who in copies.speakers])
    spoiled[heard] = random().standard_normal((int(heard.sum()), spoiled.shape[1])) * 1e3
    changed = Copies(spoiled, copies.label, copies.utterance, copies.family, copies.speakers)
    results = []
    for each in (copies, changed):
        inside = each.without(["08"])
        chosen = choose(inside, others, 3, [CLEAN, "mixture"], [CLEAN])
        results.append((chosen, fit(inside, chosen.strength).head_weight.tobytes()))
    assert results[0] == results[1]


def test_one_process_or_two_give_the_same_copies(corpus: list[Utterance]) -> None:
    one, two = (make_copies(corpus[:6], 3, {"room": 1}, workers) for workers in (1, 2))
    assert one.features.tobytes() == two.features.tobytes()


def test_recall_accuracy_and_confusion_agree_with_sklearn() -> None:
    truth, said = random(1).integers(0, 6, (2, 500))
    assert metrics.uar(truth, said) == pytest.approx(recall_score(truth, said, average="macro"))
    assert metrics.accuracy(truth, said) == pytest.approx(accuracy_score(truth, said))
    np.testing.assert_array_equal(metrics.confusion(truth, said, 6), confusion_matrix(truth, said))


def test_recall_is_over_the_classes_asked_for() -> None:
    truth, said = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    assert metrics.uar(truth, said) == pytest.approx((0.5 + 1 + 0) / 3)
    assert metrics.uar(truth, said, among=[0, 1, 5]) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("confidence", "right", "expected"),
    [(0.9, [1, 1, 1, 1, 0], 0.1), (1.0, [1, 1], 0.0), (0.8, [0, 0, 0, 0], 0.8)],
)
def test_calibration_error_of_known_cases(confidence: float, right: list[int], expected: float) -> None:
    probabilities = np.tile([confidence, 1 - confidence], (len(right), 1))
    assert metrics.ece(probabilities, 1 - np.array(right)) == pytest.approx(expected)


def test_calibration_error_weighs_its_bins() -> None:
    probabilities = np.array([[0.95, 0.05]] * 3 + [[0.55, 0.45]])
    assert metrics.ece(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0.75 * 0.05 + 0.25 * 0.55)


def test_temperature_makes_overconfident_scores_humble() -> None:
    truth = random(2).integers(0, 6, 3000)
    honest = random(3).standard_normal((3000, 6)) + 1.5 * np.eye(6)[truth]
    scale = best_temperature(1.5 * honest, truth)
    assert best_temperature(4 * 1.5 * honest, truth) == pytest.approx(4 * scale, rel=0.02)
    assert log_loss(6 * honest, truth, 4 * scale) < log_loss(6 * honest, truth)


def test_cooling_divides_the_logits(copies: Copies) -> None:
    weights = fit(copies.without([]), 0.03)
    plain, cold = (logits(each, copies.features) for each in (weights, cooled(weights, 2.0)))
    np.testing.assert_allclose(cold, plain / 2, atol=1e-4)
    np.testing.assert_allclose(softmax(plain).sum(1), 1)


def test_training_twice_gives_the_same_file(copies: Copies, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_weights(fit(copies.without([]), 0.1, 1.3), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_folds_cover_every_speaker_once(copies: Copies) -> None:
    folds = leave_one_speaker_out(copies, workers=1, unseen=False)
    assert [fold.speaker for fold in folds] == ["03", "08", "09", "10"]
    found = figures(folds)
    assert np.sum(found["confusion"]) == 48
    assert 0 <= found["conditions"]["phone"]["ece"] <= 1


def test_the_command_says_which_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "--emodb" in capsys.readouterr().err


def test_two_unheard_speakers_are_recognised() -> None:
    """The real pipeline with few copies, one man and one woman left out: chance is 1/6."""
    whole = read_corpus(real_audio() / "emodb")
    train = [each for each in whole if each.speaker in ("08", "09", "10", "11", "12", "13")]
    test = [each for each in whole if each.speaker in ("15", "16")]
    inside = make_copies(train, 1, {"mixture": 1}, workers=2, testing=()).without([])
    weights = fit(inside, 0.1)
    outside = make_copies(test, 1, {}, workers=2, testing=()).of(["15", "16"], CLEAN)
    said = logits(weights, outside.features).argmax(1)
    assert metrics.uar(outside.label, said) > 0.6
