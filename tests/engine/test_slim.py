"""The slim copy of a checkpoint's weights: made once, and never trusted where it is not what was written."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from emostore.engine import slim, weights
from emostore.engine.architecture import shapes
from emostore.engine.checkpoint import describe, load_weights
from emostore.engine.reference import FunasrRecognizer
from emostore.errors import ModelError
from tests.engine import tiny_checkpoint
from tests.engine.test_checkpoint import Evil


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.build(tmp_path_factory.mktemp("slim") / "c", head="random")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "checkpoint"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each reading of a `model.pt`, by its path."""
    seen: list[Path] = []
    real = slim.load_weights
    monkeypatch.setattr(slim, "load_weights", lambda checkpoint: (seen.append(checkpoint.weights), real(checkpoint))[1])
    return seen


def load(folder: Path, cache: Path | None, keep: slim.Kept = "float32") -> dict[str, Tensor]:
    return slim.load(describe(folder), cache, keep)


def slim_file(cache: Path) -> Path:
    (path,) = (cache / "models").glob("*.safetensors")
    return path


def record_file(cache: Path) -> Path:
    (path,) = (cache / "models").glob("*.json")
    return path


def expected(folder: Path) -> dict[str, Tensor]:
    """The tensors of `model.pt`, looked up by hand."""
    checkpoint = describe(folder)
    stored = load_weights(checkpoint)
    found = {name: weights.find(stored, name, checkpoint.prefixes) for name in shapes(checkpoint)}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def assert_equal(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def test_the_tensors_are_those_of_the_checkpoint_with_and_without_a_cache(folder: Path, cache: Path) -> None:
    wanted = expected(folder)
    assert {tensor.dtype for tensor in wanted.values()} == {torch.float32}
    assert_equal(load(folder, None), wanted)
    assert_equal(load(folder, cache), wanted)
    assert_equal(load(folder, cache), wanted)


def test_nothing_that_only_training_needs_is_kept(folder: Path, cache: Path) -> None:
    load(folder, cache)
    assert not any("decoder" in name for name in load(folder, cache))
    assert slim_file(cache).stat().st_size < (folder / "model.pt").stat().st_size


def test_a_second_load_reads_and_hashes_model_pt_no_more(
    folder: Path, cache: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder, cache)
    monkeypatch.setattr(weights, "_digests", {})  # as in a new process
    hashed: list[Path] = []
    real = weights.digest
    monkeypatch.setattr(weights, "digest", lambda path: (hashed.append(path), real(path))[1])
    load(folder, cache)
    assert conversions == [folder / "model.pt"]
    assert hashed == [slim_file(cache)]
    assert describe(folder).revision == real(folder / "model.pt")[:12]  # known without reading, and right
    assert hashed == [slim_file(cache)]


def test_the_tensors_are_mapped_and_writing_to_them_reaches_no_file(folder: Path, cache: Path) -> None:
    load(folder, cache)
    tensors = load(folder, cache)
    assert str(slim_file(cache)) in Path("/proc/self/maps").read_text()
    before = slim_file(cache).read_bytes()
    tensors["proj.bias"].fill_(7)
    assert slim_file(cache).read_bytes() == before
    assert not torch.equal(load(folder, cache)["proj.bias"], tensors["proj.bias"])


def test_a_file_replaced_while_it_is_mapped_disturbs_nobody(folder: Path, cache: Path) -> None:
    load(folder, cache)
    tensors = load(folder, cache)
    wanted = {name: tensor.clone() for name, tensor in tensors.items()}
    shutil.copy(tiny_checkpoint.build(folder.parent / "other", head="random", seed=1) / "model.pt", folder)
    load(folder, cache)
    assert_equal(tensors, wanted)


def flip(file: Path, at: int) -> None:
    raw = bytearray(file.read_bytes())
    raw[at] ^= 1
    file.write_bytes(raw)


def cut(file: Path, to: int) -> None:
    file.write_bytes(file.read_bytes()[:to])


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "a flipped bit in the first tensor": lambda data, record: flip(data, 20_000),
    "a flipped bit in the last byte": lambda data, record: flip(data, -1),
    "a flipped bit in the length of the header": lambda data, record: flip(data, 3),
    "a flipped bit in the header": lambda data, record: flip(data, 200),
    "half a file": lambda data, record: cut(data, data.stat().st_size // 2),
    "a file that lacks one byte": lambda data, record: cut(data, data.stat().st_size - 1),
    "an empty file": lambda data, record: cut(data, 0),
    "bytes after the end": lambda data, record: data.write_bytes(data.read_bytes() + b"\0"),
    "zeros, as a crash leaves them": lambda data, record: data.write_bytes(bytes(data.stat().st_size)),
    "no file": lambda data, record: data.unlink(),
    "a folder in its place": lambda data, record: (data.unlink(), data.mkdir()),
    "no record": lambda data, record: record.unlink(),
    "half a record": lambda data, record: cut(record, 40),
    "a record that is no JSON": lambda data, record: record.write_bytes(b"\xff" * 300),
    "a record that lacks a field": lambda data, record: record.write_text('{"source": "here"}'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_made_again(
    folder: Path, cache: Path, conversions: list[Path], damage: Callable[[Path, Path], object]
) -> None:
    load(folder, cache)
    data, record = slim_file(cache), record_file(cache)
    whole = data.read_bytes()
    damage(data, record)
    assert_equal(load(folder, cache), expected(folder))
    assert len(conversions) == 2
    if data.is_file():
        assert data.read_bytes() == whole
        assert_equal(load(folder, cache), expected(folder))
        assert len(conversions) == 2


def test_a_record_of_a_file_of_another_layout_is_not_followed(folder: Path, cache: Path, tmp_path: Path) -> None:
    load(folder, cache)
    other = tmp_path / "other"
    load(folder, other, "bfloat16")
    shutil.copy(slim_file(other), cache / "models")
    record = json.loads(record_file(cache).read_text())
    record |= {"slim": slim_file(other).name, "slim_sha256": weights.digest(slim_file(other))}
    record_file(cache).write_text(json.dumps(record))
    assert_equal(load(folder, cache), expected(folder))


def test_other_weights_in_the_same_place_are_noticed_though_size_and_time_are_the_same(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    other = tiny_checkpoint.build(tmp_path / "other", head="random", seed=1)
    load(folder, cache)
    file = folder / "model.pt"
    before, revision = file.stat(), describe(folder).revision
    file.write_bytes((other / "model.pt").read_bytes())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert_equal(load(folder, cache), expected(other))
    assert describe(folder).revision == describe(other).revision != revision
    assert len(list((cache / "models").glob("*.safetensors"))) == 1  # the old one is gone


def test_touching_the_weights_makes_nothing_again(folder: Path, cache: Path, conversions: list[Path]) -> None:
    load(folder, cache)
    before = slim_file(cache).stat().st_mtime_ns
    os.utime(folder / "model.pt")
    load(folder, cache)
    assert slim_file(cache).stat().st_mtime_ns == before
    assert len(conversions) == 1
    state = json.loads(record_file(cache).read_text())["state"]
    assert state["mtime_ns"] == (folder / "model.pt").stat().st_mtime_ns


def test_another_config_beside_the_same_weights_is_another_layout(folder: Path, cache: Path) -> None:
    load(folder, cache)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("  depth: 2", "  depth: 1"))
    assert not any(name.startswith("blocks.1.") for name in load(folder, cache))
    config.write_text(config.read_text().replace("  depth: 1", "  depth: 3"))
    with pytest.raises(ModelError, match=r"lacks the tensor blocks\.2\."):
        load(folder, cache)


def test_other_labels_are_refused_though_the_weights_are_cached(folder: Path, cache: Path) -> None:
    load(folder, cache)
    tokens = folder / "tokens.txt"
    tokens.write_text("".join(tokens.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(ModelError, match="5 labels"):
        load(folder, cache)


def test_what_is_refused_leaves_no_cache(folder: Path, cache: Path) -> None:
    (folder / "model.pt").write_bytes(b"damaged")
    for _ in range(2):
        with pytest.raises(ModelError, match=r"model\.pt"):
            load(folder, cache)
    assert list((cache / "models").glob("*.*")) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, 1234, -1])
def test_one_value_that_is_no_number_is_refused_by_the_name_of_its_tensor(
    folder: Path, cache: Path, value: float, place: int
) -> None:
    stored = torch.load(folder / "model.pt", weights_only=True)["model"]
    stored["d2v_model.blocks.1.mlp.fc2.weight"].view(-1)[place] = value
    torch.save(stored, folder / "model.pt")
    with pytest.raises(ModelError, match=r"blocks\.1\.mlp\.fc2\.weight that are not numbers"):
        load(folder, cache)


def test_a_pickle_that_would_run_code_is_refused_though_good_weights_are_cached(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    load(folder, cache)
    tensors = torch.load(folder / "model.pt", weights_only=True)
    torch.save({**tensors, "extra": Evil(tmp_path / "victim")}, folder / "model.pt")
    with pytest.raises(ModelError, match="more than plain tensors"):
        load(folder, cache)
    assert not (tmp_path / "victim").exists()


def test_bfloat16_rounds_matrices_and_kernels_but_not_the_first_and_the_last(folder: Path, cache: Path) -> None:
    wanted = expected(folder)
    exact = ("proj.weight", "modality_encoders.AUDIO.local_encoder.conv_layers.0.0.weight")
    for place in (None, cache, cache):
        found = load(folder, place, "bfloat16")
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            rounded = tensor.ndim > 1 and name.endswith(".weight") and name not in exact
            assert torch.equal(found[name], tensor.bfloat16() if rounded else tensor), name
    assert found["blocks.0.mlp.fc1.weight"].dtype == torch.bfloat16
    assert_equal(load(folder, cache), wanted)  # beside it
    assert len(list((cache / "models").glob("*.safetensors"))) == 2


def test_two_folders_with_the_same_weights_share_one_file(folder: Path, cache: Path, tmp_path: Path) -> None:
    load(folder, cache)
    again = Path(shutil.copytree(folder, tmp_path / "again"))
    load(again, cache)
    assert len(list((cache / "models").glob("*.json"))) == 2
    slim_file(cache)
    (folder / "model.pt").write_bytes(
        (tiny_checkpoint.build(tmp_path / "o", head="random", seed=1) / "model.pt").read_bytes()
    )
    load(folder, cache)
    assert len(list((cache / "models").glob("*.safetensors"))) == 2  # the other folder still needs the first


def test_what_belongs_to_a_checkpoint_that_is_gone_is_deleted(folder: Path, cache: Path, tmp_path: Path) -> None:
    load(folder, cache)
    moved = shutil.move(folder, tmp_path / "moved")
    (cache / "models" / "left.part").write_bytes(b"half")
    load(moved, cache, "bfloat16")
    assert json.loads(record_file(cache).read_text())["source"] == str(moved / "model.pt")
    assert slim_file(cache).name in record_file(cache).read_text()
    assert list((cache / "models").glob("*.part")) == []


@pytest.mark.parametrize("place", ["a file in its way", "no room", "a full disk", "another error of the library"])
def test_where_nothing_can_be_kept_the_weights_are_read_without_a_cache(
    folder: Path,
    cache: Path,
    conversions: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: str,
) -> None:
    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(tensors: object, path: Path) -> None:
        raise SafetensorError("No space left on device")

    if place == "a file in its way":
        cache.write_bytes(b"")
    elif place == "no room":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    else:
        monkeypatch.setattr("safetensors.torch.save_file", full if place == "a full disk" else broken)
    with caplog.at_level(logging.WARNING):
        assert_equal(load(folder, cache), expected(folder))
    assert "not cached" in caplog.text
    assert len(conversions) == 1
    if cache.is_dir():
        assert [path.name for path in (cache / "models").iterdir() if path.name != "lock"] == []


def test_a_process_that_waits_too_long_for_another_goes_on_without(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(slim, "LOCK_WAIT_S", 0.05)
    (cache / "models").mkdir(parents=True)
    with FileLock(cache / "models" / "lock"):
        assert_equal(load(folder, cache), expected(folder))
    assert "not cached" in caplog.text


def test_threads_that_load_at_once_convert_once(folder: Path, cache: Path, conversions: list[Path]) -> None:
    wanted = expected(folder)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: load(folder, cache), range(4)):
            assert_equal(found, wanted)
    assert len(conversions) == 1


def test_weights_replaced_while_they_are_read_are_not_used(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = slim.load_weights

    def slow(checkpoint: Any) -> dict[str, Tensor]:
        tensors = real(checkpoint)
        os.utime(checkpoint.weights, ns=(1, 1))
        return tensors

    monkeypatch.setattr(slim, "load_weights", slow)
    with pytest.raises(ModelError, match="replaced while"):
        load(folder, cache)
    monkeypatch.setattr(slim, "load_weights", real)
    assert_equal(load(folder, cache), expected(folder))


def test_a_kill_while_it_is_written_leaves_nothing_that_is_trusted(folder: Path, cache: Path) -> None:
    code = """
import os, sys
from pathlib import Path
import safetensors.torch
from emostore.engine import slim
from emostore.engine.checkpoint import describe
real = safetensors.torch.save_file
def killed(tensors, path):
    real(tensors, path)
    os.truncate(path, os.path.getsize(path) // 2)
    os._exit(9)
safetensors.torch.save_file = killed
slim.load(describe(Path(sys.argv[1])), Path(sys.argv[2]))
"""
    done = subprocess.run([sys.executable, "-c", code, folder, cache], cwd=Path(__file__).parents[2], timeout=120)
    assert done.returncode == 9
    assert [path.suffix for path in (cache / "models").iterdir() if path.name != "lock"] == [".part"]
    assert_equal(load(folder, cache), expected(folder))
    assert sorted(path.suffix for path in (cache / "models").iterdir() if path.name != "lock") == [
        ".json",
        ".safetensors",
    ]


def test_they_are_the_tensors_that_funasr_takes(folder: Path) -> None:
    reference = FunasrRecognizer.load(folder, device="cpu", threads=1)
    assert_equal(load(folder, None), reference._funasr.tensors)
