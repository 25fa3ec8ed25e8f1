from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from emostore.config import Settings
from emostore.emotions import EMOTIONS
from emostore.engine import places, registry
from emostore.engine.checkpoint import describe
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.recognizer import ModelInfo
from emostore.engine.reference import FunasrRecognizer
from emostore.errors import ModelError
from tests.engine import tiny_checkpoint

LARGE = "emotion2vec_plus_large"


class Fake:
    """A recogniser that only says what was loaded."""

    loads: list[tuple[str, int | None]] = []  # noqa: RUF012 – emptied by the fixture
    asked: list[dict[str, object]] = []  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.info = ModelInfo(name, "0123456789ab", 4, EMOTIONS[:3], "CC0")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loading is counted instead of done, and nothing that earlier tests loaded is in the way."""

    def load_baseline() -> Fake:
        Fake.loads.append(("baseline", None))
        return Fake("baseline")

    def load_checkpoint(path: Path, *, threads: int | None = None, **asked: object) -> Fake:
        describe(path)
        Fake.asked.append(asked)
        time.sleep(0.05)  # long enough for a second thread to come along
        Fake.loads.append((str(path), threads))
        if (path / "model.pt").read_bytes() == b"damaged":
            raise ModelError("{path} is damaged.", path=str(path))
        return Fake("checkpoint")

    def load_reference(path: Path, *, threads: int | None = None) -> Fake:
        describe(path)
        Fake.loads.append((f"funasr:{path}", threads))
        return Fake("reference")

    module = ModuleType("emostore.engine.baseline")
    module.BaselineRecognizer = type("BaselineRecognizer", (), {"load": staticmethod(load_baseline)})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "emostore.engine.baseline", module)
    monkeypatch.setattr(Emotion2vecRecognizer, "load", load_checkpoint)
    monkeypatch.setattr(FunasrRecognizer, "load", load_reference)
    monkeypatch.setattr(registry, "_loaded", {})
    monkeypatch.setattr(registry, "_failed", {})
    Fake.loads.clear()
    Fake.asked.clear()
    yield
    Fake.loads.clear()
    Fake.asked.clear()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MODELSCOPE_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.build(tmp_path_factory.mktemp("registry") / LARGE, head="random", hub_name=f"iic/{LARGE}")


def install(original: Path, to: Path, without: str = "") -> Path:
    shutil.copytree(original, to)
    if without:
        (to / without).unlink()
    return to


def settings(tmp_path: Path, model: str = "auto", threads: int | None = None) -> Settings:
    return Settings(model=model, data_dir=tmp_path / "data", threads=threads)


PLACES = [
    ("data/models/emotion2vec_plus_large", {}),
    ("home/.cache/modelscope/hub/models/iic/emotion2vec_plus_large", {}),
    ("home/.cache/modelscope/hub/iic/emotion2vec_plus_large", {}),
    ("home/.cache/modelscope/models/iic--emotion2vec_plus_large/snapshots/master", {}),
    ("ms/models/iic/emotion2vec_plus_large", {"MODELSCOPE_CACHE": "ms"}),
    ("ms/iic/emotion2vec_plus_large", {"MODELSCOPE_CACHE": "ms"}),
    ("home/.cache/huggingface/hub/models--emotion2vec--emotion2vec_plus_large/snapshots/0a1b2c", {}),
    ("hf/hub/models--emotion2vec--emotion2vec_plus_large/snapshots/0a1b2c", {"HF_HOME": "hf"}),
    ("hub/models--emotion2vec--emotion2vec_plus_large/snapshots/0a1b2c", {"HF_HUB_CACHE": "hub", "HF_HOME": "hf"}),
]


@pytest.mark.parametrize(("place", "variables"), PLACES)
def test_auto_takes_the_checkpoint_from_each_cache(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    folder = install(original, tmp_path / place)
    assert registry.load_recognizer(settings(tmp_path)).info.name == "checkpoint"
    assert Fake.loads == [(str(folder), None)]
    listing = registry.available_models(settings(tmp_path))[1]
    assert (listing.name, listing.where, listing.installed) == (LARGE, folder, True)
    assert listing.classes == EMOTIONS
    assert "FunASR" in listing.licence


def test_auto_without_a_checkpoint_is_the_baseline(tmp_path: Path) -> None:
    assert registry.load_recognizer(settings(tmp_path)).info.name == "baseline"


def test_the_default_is_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOSTORE_MODEL", raising=False)
    assert registry.load_recognizer(Settings(data_dir=tmp_path)).info.name == "baseline"


@pytest.mark.parametrize("without", ["model.pt", "config.yaml", "tokens.txt"])
def test_a_partial_download_is_passed_by_and_reported(original: Path, tmp_path: Path, without: str) -> None:
    folder = install(original, places.download_folder(tmp_path / "data"), without)
    assert registry.load_recognizer(settings(tmp_path)).info.name == "baseline"
    listing = registry.available_models(settings(tmp_path))[1]
    assert (listing.installed, listing.where) == (False, folder)
    assert without in str(listing.problem)
    assert "partly downloaded" in str(listing.problem)
    with pytest.raises(ModelError, match=without):
        registry.load_recognizer(settings(tmp_path, LARGE))


def test_a_partial_download_does_not_hide_a_complete_one(original: Path, tmp_path: Path, home: Path) -> None:
    install(original, places.download_folder(tmp_path / "data"), "model.pt")
    folder = install(original, home / ".cache/modelscope/hub/iic" / LARGE)
    registry.load_recognizer(settings(tmp_path))
    assert Fake.loads == [(str(folder), None)]


def test_the_snapshot_that_the_hub_points_to_comes_first(original: Path, tmp_path: Path, home: Path) -> None:
    repository = home / f".cache/huggingface/hub/models--emotion2vec--{LARGE}"
    current = install(original, repository / "snapshots" / "aaa")
    install(original, repository / "snapshots" / "bbb")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("aaa\n")
    registry.load_recognizer(settings(tmp_path))
    assert Fake.loads == [(str(current), None)]


def test_a_cache_that_may_not_be_read_is_passed_by(
    original: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = home / ".cache/modelscope/models/iic" / LARGE
    folder = install(original, home / ".cache/modelscope/hub/iic" / LARGE)
    is_dir = Path.is_dir

    def guarded(path: Path) -> bool:
        if path.is_relative_to(private):
            raise PermissionError(13, "Permission denied", str(path))
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", guarded)
    registry.load_recognizer(settings(tmp_path))
    assert Fake.loads == [(str(folder), None)]


def test_a_finished_download_is_used_without_a_restart(original: Path, tmp_path: Path) -> None:
    assert registry.load_recognizer(settings(tmp_path)).info.name == "baseline"
    install(original, places.download_folder(tmp_path / "data"))
    assert registry.load_recognizer(settings(tmp_path)).info.name == "checkpoint"


@pytest.mark.parametrize("broken", ["model.pt", "tokens.txt"])
def test_auto_passes_a_damaged_checkpoint_by_and_says_so(original: Path, tmp_path: Path, broken: str) -> None:
    folder = install(original, places.download_folder(tmp_path / "data"))
    (folder / broken).write_text("damaged")
    for _ in range(3):
        assert registry.load_recognizer(settings(tmp_path)).info.name == "baseline"
    listing = registry.available_models(settings(tmp_path))[1]
    assert not listing.installed
    assert "damaged" in str(listing.problem)
    assert len([path for path, _ in Fake.loads if path == str(folder)]) <= 1  # not tried again for every clip
    with pytest.raises(ModelError, match="damaged"):
        registry.load_recognizer(settings(tmp_path, LARGE))


def test_a_repaired_checkpoint_is_tried_again(original: Path, tmp_path: Path) -> None:
    folder = install(original, tmp_path / "c")
    (folder / "model.pt").write_bytes(b"damaged")
    with pytest.raises(ModelError):
        registry.load_recognizer(settings(tmp_path, str(folder)))
    shutil.copy(original / "model.pt", folder / "model.pt")
    assert registry.load_recognizer(settings(tmp_path, str(folder))).info.name == "checkpoint"


def test_baseline_is_taken_even_where_the_checkpoint_lies(original: Path, tmp_path: Path) -> None:
    install(original, places.download_folder(tmp_path / "data"))
    assert registry.load_recognizer(settings(tmp_path, "baseline")).info.name == "baseline"


def test_the_large_model_by_name_says_where_it_was_looked_for(tmp_path: Path, home: Path) -> None:
    with pytest.raises(ModelError) as caught:
        registry.load_recognizer(settings(tmp_path, LARGE))
    for place in (tmp_path / "data", home / ".cache/modelscope", home / ".cache/huggingface"):
        assert str(place) in str(caught.value)
    assert "Download it" in str(caught.value)
    listing = registry.available_models(settings(tmp_path))[1]
    assert (listing.installed, listing.where) == (False, None)


def test_a_folder_is_taken_as_a_checkpoint_with_the_threads_asked_for(original: Path, tmp_path: Path) -> None:
    registry.load_recognizer(settings(tmp_path, str(original), threads=3))
    assert Fake.loads == [(str(original), 3)]


def test_precision_and_cache_come_from_the_settings(original: Path, tmp_path: Path) -> None:
    wanted = settings(tmp_path, str(original)).model_copy(update={"precision": "float32"})
    registry.load_recognizer(wanted)
    assert Fake.asked == [{"precision": "float32", "cache_dir": tmp_path / "data" / "cache"}]
    registry.load_recognizer(wanted.model_copy(update={"precision": "bfloat16"}))
    assert [asked["precision"] for asked in Fake.asked] == ["float32", "bfloat16"]


def test_a_folder_in_the_home_directory_may_be_written_with_a_tilde(original: Path, tmp_path: Path, home: Path) -> None:
    folder = install(original, home / "tuned")
    registry.load_recognizer(settings(tmp_path, "~/tuned"))
    assert Fake.loads == [(str(folder), None)]


def test_a_folder_that_is_no_checkpoint_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config.yaml, tokens.txt, model.pt is missing"):
        registry.load_recognizer(settings(tmp_path, str(tmp_path)))


def test_a_name_that_is_neither_known_nor_a_folder_is_told_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"whisper.*auto, baseline, emotion2vec_plus_large"):
        registry.load_recognizer(settings(tmp_path, "whisper"))
    listing = registry.available_models(settings(tmp_path, "whisper"))[-1]
    assert (listing.name, listing.installed) == ("whisper", False)


def test_a_model_is_loaded_once_also_by_threads_that_ask_at_once(original: Path, tmp_path: Path) -> None:
    gate = threading.Barrier(8)

    def ask() -> object:
        gate.wait()
        return registry.load_recognizer(settings(tmp_path, str(original)))

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
    assert len({id(answer) for answer in answers}) == 1
    assert len(Fake.loads) == 1


def test_the_list_names_every_model_and_loads_no_checkpoint(original: Path, tmp_path: Path) -> None:
    install(original, places.download_folder(tmp_path / "data"))
    listings = registry.available_models(settings(tmp_path, str(original)))
    assert [listing.name for listing in listings] == ["baseline", LARGE, str(original)]
    assert all(listing.installed and listing.problem is None for listing in listings)
    assert Fake.loads == [("baseline", None)]


def test_funasr_is_the_large_model_in_funasrs_own_code(original: Path, tmp_path: Path) -> None:
    folder = install(original, places.download_folder(tmp_path / "data"))
    wanted = settings(tmp_path, "funasr", threads=2)
    assert registry.load_recognizer(wanted).info.name == "reference"
    assert Fake.loads == [(f"funasr:{folder}", 2)]
    assert registry.load_recognizer(settings(tmp_path, LARGE, threads=2)).info.name == "checkpoint"  # beside it
    listings = {listing.name: listing for listing in registry.available_models(wanted)}
    assert list(listings) == ["baseline", LARGE, "funasr"]
    assert listings["funasr"].installed
    assert listings["funasr"].where == folder


def test_funasr_may_be_asked_for_with_a_folder(original: Path, tmp_path: Path, home: Path) -> None:
    folder = install(original, home / "tuned")
    for value in (f"funasr:{folder}", "funasr:~/tuned"):
        assert registry.load_recognizer(settings(tmp_path, value)).info.name == "reference"
        listing = registry.available_models(settings(tmp_path, value))[-1]
        assert (listing.name, listing.where, listing.installed) == (value, folder, True)
    assert Fake.loads.count((f"funasr:{folder}", None)) == 1


@pytest.mark.parametrize("value", ["funasr:", "funasr:baseline", "funasr:/nowhere"])
def test_funasr_without_a_checkpoint_is_told_the_choices(tmp_path: Path, value: str) -> None:
    with pytest.raises(ModelError, match=rf"{value}.*auto, baseline, emotion2vec_plus_large, funasr"):
        registry.load_recognizer(settings(tmp_path, value))
    listing = registry.available_models(settings(tmp_path, value))[-1]
    assert (listing.name, listing.installed) == (value, False)


def test_funasr_by_name_says_where_the_large_model_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not on this machine"):
        registry.load_recognizer(settings(tmp_path, "funasr"))
    listing = registry.available_models(settings(tmp_path, "funasr"))[-1]
    assert (listing.name, listing.installed) == ("funasr", False)
