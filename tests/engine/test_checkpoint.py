from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from emostore.emotions import EMOTIONS
from emostore.engine.checkpoint import describe, load_weights, read_checkpoint
from emostore.engine.checkpoint_config import MAX_TEXT_BYTES
from emostore.engine.weights import find
from emostore.errors import ModelError
from tests.engine import tiny_checkpoint


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.build(tmp_path_factory.mktemp("original") / "my_checkpoint", head="random")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "my_checkpoint"))


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_checkpoint_says_what_it_is(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    assert checkpoint.labels == EMOTIONS
    assert checkpoint.classes == EMOTIONS
    assert checkpoint.dim == 64
    assert checkpoint.name == "emotion2vec_tiny"
    assert checkpoint.model_conf["norm_eps"] == 1e-5


@pytest.mark.parametrize(
    ("hub_name", "parts", "name"),
    [
        ("iic/emotion2vec_plus_large", ["anything"], "emotion2vec_plus_large"),
        ("", ["emotion2vec_plus_large"], "emotion2vec_plus_large"),
        ("", ["models--emotion2vec--emotion2vec_plus_large", "snapshots", "0a1b"], "emotion2vec_plus_large"),
        ("", ["tuned"], "tuned"),
        ("<b>bold</b> \n", ["tuned"], "tuned"),
    ],
)
def test_the_name_comes_from_the_hub_or_the_folder(tmp_path: Path, hub_name: str, parts: list[str], name: str) -> None:
    folder = tiny_checkpoint.build(tmp_path.joinpath(*parts), head="random", hub_name=hub_name)
    checkpoint = describe(folder)
    assert checkpoint.name == name
    assert ("FunASR" in checkpoint.licence) == (name == "emotion2vec_plus_large")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model_name_in_hub": 3}', "[" * 100_000])
def test_configuration_json_may_be_anything_or_absent(folder: Path, content: str) -> None:
    (folder / "configuration.json").write_text(content)
    assert describe(folder).name == "my_checkpoint"
    (folder / "configuration.json").unlink()
    assert describe(folder).name == "my_checkpoint"


def test_the_same_seed_gives_the_same_revision_and_another_seed_another(folder: Path, tmp_path: Path) -> None:
    again = tiny_checkpoint.build(tmp_path / "again", head="random")
    other = tiny_checkpoint.build(tmp_path / "other", head="random", seed=1)
    revision = describe(folder).revision
    assert len(revision) == 12
    assert describe(again).revision == revision != describe(other).revision


def test_the_revision_follows_the_file(folder: Path) -> None:
    checkpoint = describe(folder)
    before = checkpoint.revision
    with checkpoint.weights.open("ab") as file:
        file.write(b"\0")
    assert checkpoint.revision != before


@pytest.mark.parametrize("name", ["config.yaml", "tokens.txt", "model.pt"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        read_checkpoint(folder)


def test_a_folder_that_is_not_there_misses_every_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config.yaml, tokens.txt, model.pt is missing"):
        read_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("wrap", ["state_dict", "model_state_dict", "model", None])
@pytest.mark.parametrize("prefix", ["d2v_model.", "module.", ""])
def test_wrapped_and_prefixed_weights_are_found(tmp_path: Path, wrap: str | None, prefix: str) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random", wrap=wrap, prefix=prefix)
    checkpoint = read_checkpoint(folder)
    assert find(load_weights(checkpoint), "blocks.0.attn.qkv.bias", checkpoint.prefixes) is not None


def test_weights_of_the_format_before_torch_1_6_are_read(tmp_path: Path) -> None:
    old = {"_use_new_zipfile_serialization": False}
    read_checkpoint(tiny_checkpoint.build(tmp_path / "c", head="random", save=old))


def test_masked_classes_are_not_produced(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head="random", masked=["other", "disgusted"])
    checkpoint = read_checkpoint(folder)
    assert checkpoint.labels[1] is None
    assert checkpoint.classes == tuple(name for name in EMOTIONS if name not in ("other", "disgusted"))


def test_five_classes_in_another_order_are_mapped_by_name(tmp_path: Path) -> None:
    labels = ["sad", "开心", "中立/neutral", "Angry", "<unk>"]
    checkpoint = read_checkpoint(tiny_checkpoint.build(tmp_path / "c", head="random", labels=labels))
    assert checkpoint.labels == ("sad", "happy", "neutral", "angry", "unknown")
    assert checkpoint.classes == ("angry", "happy", "neutral", "sad", "unknown")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("生气/angry", "生气/furious", "furious"),
        ("生气/angry", "开心/angry", "开心/angry"),  # happy in Chinese, angry in English
        ("生气/angry", "", "''"),
        ("生气/angry", "开心/happy", "happy more than once"),
        ("<unk>", "<unk>\n其他/other", "other more than once"),
        ("<unk>\n", "", "8 labels"),
        ("<unk>", "<unk>\nunuse_9", "10 labels"),
    ],
)
def test_misnamed_doubled_and_miscounted_labels_are_named(folder: Path, old: str, new: str, said: str) -> None:
    replace(folder / "tokens.txt", old, new)
    with pytest.raises(ModelError, match=said):
        read_checkpoint(folder)


@pytest.mark.parametrize("content", ["", "\n\n", "unuse_0\nunuse_1\n"])
def test_tokens_without_any_emotion_are_refused(folder: Path, content: str) -> None:
    (folder / "tokens.txt").write_text(content)
    with pytest.raises(ModelError, match=r"tokens\.txt"):
        read_checkpoint(folder)


def test_a_missing_head_is_named(tmp_path: Path) -> None:
    folder = tiny_checkpoint.build(tmp_path / "c", head=None)
    with pytest.raises(ModelError, match=r"no classification head \(proj\.weight"):
        read_checkpoint(folder)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("forced", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool, forced: bool
) -> None:
    if forced:  # torch has a switch to unpickle anything; it must not reach here
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    victim = tmp_path / "victim"
    tensors = torch.load(folder / "model.pt", weights_only=True)
    torch.save({**tensors, "extra": Evil(victim)}, folder / "model.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="more than plain tensors"):
        read_checkpoint(folder)
    assert not victim.exists()


def test_a_bare_pickle_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (folder / "model.pt").write_bytes(pickle.dumps(Evil(victim), protocol=2))
    with pytest.raises(ModelError, match=r"model\.pt"):
        read_checkpoint(folder)
    assert not victim.exists()


@pytest.mark.parametrize("cut", [0, 1, 1000, -1000])
def test_truncated_weights_are_refused(folder: Path, cut: int) -> None:
    weights = folder / "model.pt"
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(ModelError, match=r"model\.pt"):
        read_checkpoint(folder)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"model": {}}, torch.zeros(3)])
def test_weights_without_named_tensors_are_refused(folder: Path, content: object) -> None:
    torch.save(content, folder / "model.pt")
    with pytest.raises(ModelError, match="no tensors by name"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[(32, 10, 5)]", "[(__import__('os').mkdir('VICTIM'), 10, 5)]"),
        ("[(32, 10, 5)]", "[].append(1) or [(32, 10, 5)]"),
        ("* 4", "* 1000000000"),
        ("* 4", "* 3"),  # another frame rate
        ("(32, 10, 5)", "(32, 100, 5)"),  # a frame longer than the shortest clip
        ("(32, 10, 5)", "(32, 10)"),
        ("(32, 10, 5)", "(32, -10, 5)"),
        ("model: Emotion2vec", "model: Paraformer"),
        ("model_conf:", "conf:"),
        ("embed_dim: 64", "embed_dim: many"),
        ("embed_dim: 64", "embed_dim: ${oc.env:HOME}"),
        ("embed_dim: 64", "embed_dim: !!python/object/apply:os.mkdir [VICTIM]"),
        ("model: Emotion2vec", "model: &m Emotion2vec\nother: *m"),
        ("model: Emotion2vec", "model: [" + "[" * 5000),
        ("model: Emotion2vec", "- model"),
    ],
)
def test_a_config_that_is_not_plain_data_about_this_network_is_refused(folder: Path, old: str, new: str) -> None:
    victim = folder / "victim"
    replace(folder / "config.yaml", old, new.replace("VICTIM", str(victim)))
    with pytest.raises(ModelError, match=r"config\.yaml"):
        read_checkpoint(folder)
    assert not victim.exists()


@pytest.mark.parametrize("name", ["config.yaml", "tokens.txt"])
def test_text_files_are_bounded_and_utf_8(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="UTF-8"):
        describe(folder)
    (folder / name).write_bytes(b"#" * (MAX_TEXT_BYTES + 1))
    with pytest.raises(ModelError, match="larger than"):
        describe(folder)
