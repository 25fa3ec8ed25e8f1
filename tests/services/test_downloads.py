"""The download of Emotion2Vec+ Large, over real HTTP against a hub on loopback that misbehaves on request."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from typer.testing import CliRunner, Result

from emostore import access
from emostore.__main__ import app
from emostore.config import Settings
from emostore.config import settings as current_settings
from emostore.engine import registry
from emostore.errors import AccessError, ModelError, SettingsError
from emostore.services import downloads
from emostore.services.downloads import DownloadCancelledError, connection, installing, planning, progress, transfer
from tests.engine import tiny_checkpoint
from tests.services.stub_hub import COMMIT, StubHub

ROOT = Path(__file__).resolve().parents[2]
HUBS: list[downloads.HubName] = ["modelscope", "huggingface"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hubs serve: a checkpoint of the published form, small."""
    folder = tmp_path_factory.mktemp("original") / "emotion2vec_plus_large"
    tiny_checkpoint.build(folder, head="random", hub_name="iic/emotion2vec_plus_large")
    (folder / "README.md").write_text("# Emotion2Vec+ Large\n")
    return folder


@pytest.fixture(autouse=True)
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no cache of this machine, and no pause between two tries."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("MODELSCOPE_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(transfer, "RETRY_PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(installing, "SPARE_BYTES", 0)


@pytest.fixture
def hub(original: Path) -> Iterator[StubHub]:
    stub = StubHub.of(original)
    yield stub
    stub.close()


@pytest.fixture
def other(original: Path) -> Iterator[StubHub]:
    stub = StubHub.of(original)
    yield stub
    stub.close()


def closed_port() -> str:
    """The address of a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def config(hub: StubHub, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", modelscope_url=hub.url, huggingface_url=hub.url)


def target(config: Settings) -> Path:
    return config.data_dir.absolute() / "models" / "emotion2vec_plus_large"


def part(config: Settings) -> Path:
    """What lies here of model.pt."""
    (found,) = target(config).with_name("emotion2vec_plus_large.partial").glob("model.pt.*.part")
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "download.json"}


def pull(config: Settings, source: downloads.Source = "huggingface", **options: Any) -> Path:
    return downloads.download(downloads.plan(config, source), **options)


@pytest.mark.parametrize("source", HUBS)
def test_each_hub_gives_the_whole_checkpoint_and_says_which_revision(
    hub: StubHub, config: Settings, source: downloads.HubName
) -> None:
    plan = downloads.plan(config, source)
    assert (plan.source, plan.commit, plan.already_bytes) == (source, COMMIT, 0)
    assert plan.total_bytes == sum(map(len, hub.files.values()))
    assert [file.name for file in plan.files][-1] == "model.pt"
    assert "FunASR" in plan.licence
    folder = downloads.download(plan)
    assert folder == target(config)
    assert contents(folder) == hub.files
    record = downloads.read_record(folder)
    assert record is not None
    assert (record.source, record.commit, record.base_url) == (source, COMMIT, hub.url)
    assert set(record.files) == set(hub.files)
    assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == ["emotion2vec_plus_large"]


@pytest.mark.slow
def test_auto_uses_the_downloaded_checkpoint(hub: StubHub, config: Settings) -> None:
    registry.clear()
    assert registry.load_recognizer(config).info.name == "baseline"
    folder = pull(config)
    loaded = registry.load_recognizer(config).info
    assert loaded.name == "emotion2vec_plus_large"
    record = downloads.read_record(folder)
    assert record is not None
    assert record.files["model.pt"].sha256.startswith(loaded.revision)
    listing = registry.available_models(config)[1]
    assert (listing.installed, listing.where) == (True, folder)
    registry.clear()


def test_nothing_is_asked_of_a_hub_before_somebody_wants_the_model(hub: StubHub, config: Settings) -> None:
    registry.available_models(config)
    registry.load_recognizer(config)
    assert downloads.read_record(target(config)) is None
    assert hub.asked == []
    downloads.plan(config, "modelscope")
    assert len(hub.asked) == 1
    assert not config.data_dir.exists()


@pytest.mark.parametrize("source", HUBS)
def test_auto_takes_the_hub_that_answers_while_the_other_one_is_silent(
    hub: StubHub, other: StubHub, tmp_path: Path, source: downloads.HubName
) -> None:
    other.hold_listing.clear()
    addresses = {"modelscope_url": other.url, "huggingface_url": other.url, f"{source}_url": hub.url}
    plan = downloads.plan(Settings(data_dir=tmp_path / "data", **addresses), "auto")
    assert (plan.source, plan.base_url) == (source, hub.url)
    assert contents(downloads.download(plan)) == hub.files


@pytest.mark.parametrize("source", HUBS)
def test_auto_passes_over_a_hub_with_a_useless_listing(
    hub: StubHub, other: StubHub, tmp_path: Path, source: downloads.HubName
) -> None:
    other.listing = b"<html>maintenance</html>"
    addresses = {"modelscope_url": other.url, "huggingface_url": other.url, f"{source}_url": hub.url}
    assert downloads.plan(Settings(data_dir=tmp_path / "data", **addresses), "auto").source == source


@pytest.mark.parametrize("source", HUBS)
def test_a_broken_transfer_is_continued_where_it_ended(
    hub: StubHub, config: Settings, source: downloads.HubName
) -> None:
    hub.breaks = [30_000, 50_000]
    assert contents(pull(config, source)) == hub.files
    assert hub.ranges_asked() == [None, "bytes=30000-", "bytes=80000-"]


def test_a_download_that_keeps_breaking_is_given_up_and_continued_next_time(hub: StubHub, config: Settings) -> None:
    hub.breaks = [10_000, 0, 0, 0]
    with pytest.raises(ModelError, match=r"model\.pt from Hugging Face broke off: .*What has arrived is kept"):
        pull(config)
    assert part(config).stat().st_size == 10_000
    assert not target(config).exists()
    assert downloads.plan(config, "huggingface").already_bytes >= 10_000
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked()[-1] == "bytes=10000-"


def test_what_one_hub_began_the_other_one_finishes(hub: StubHub, config: Settings) -> None:
    hub.breaks = [10_000, 0, 0, 0]
    with pytest.raises(ModelError, match="ModelScope broke off"):
        pull(config, "modelscope")
    assert contents(pull(config, "huggingface")) == hub.files
    assert hub.ranges_asked()[-1] == "bytes=10000-"


def test_a_server_without_ranges_starts_again_from_the_beginning(hub: StubHub, config: Settings) -> None:
    hub.ranges = False
    hub.breaks = [30_000]
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked() == [None, "bytes=30000-"]


def test_another_range_than_the_one_asked_for_is_not_put_together_with_the_rest(hub: StubHub, config: Settings) -> None:
    hub.breaks = [30_000]
    hub.range_shift = 7
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked() == [None, "bytes=30000-", None]


def test_a_part_of_an_older_file_is_not_continued(hub: StubHub, config: Settings) -> None:
    hub.breaks = [10_000, 0, 0, 0]
    with pytest.raises(ModelError, match="broke off"):
        pull(config)
    hub.files["README.md"] = b"# A new version\n"
    hub.files["model.pt"] = tiny_checkpoint_bytes(config.data_dir / "newer")
    hub.asked.clear()
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked() == [None]


def tiny_checkpoint_bytes(folder: Path) -> bytes:
    return (tiny_checkpoint.build(folder, head="random", seed=1) / "model.pt").read_bytes()


def test_a_busy_hub_is_asked_again(hub: StubHub, config: Settings) -> None:
    hub.statuses = [503, 429]
    assert contents(pull(config)) == hub.files


def test_a_file_that_the_hub_refuses_is_not_asked_for_again(hub: StubHub, config: Settings) -> None:
    hub.statuses = [403]
    with pytest.raises(ModelError, match=r"model\.pt cannot be downloaded: .*HTTP 403") as caught:
        pull(config)
    assert str(target(config)) in str(caught.value)
    assert len(hub.ranges_asked()) == 1


@pytest.mark.parametrize("source", HUBS)
@pytest.mark.parametrize("name", ["model.pt", "tokens.txt"])
def test_wrong_bytes_are_refused_and_deleted(
    hub: StubHub, config: Settings, source: downloads.HubName, name: str
) -> None:
    content = hub.files[name]
    hub.served[name] = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(ModelError, match=f"{name} from .* is not the file that the hub lists.*deleted.*other hub"):
        pull(config, source)
    assert not target(config).exists()
    assert not list(target(config).parent.glob(f"*.partial/{name}*"))
    hub.served.clear()
    assert contents(pull(config, source)) == hub.files


@pytest.mark.parametrize("change", [b"more", None])
def test_more_or_fewer_bytes_than_listed_are_refused(hub: StubHub, config: Settings, change: bytes | None) -> None:
    content = hub.files["model.pt"]
    hub.served["model.pt"] = content + change if change else content[:-5]
    with pytest.raises(ModelError, match="broke off"):
        pull(config)
    assert not target(config).exists()


def test_files_that_are_no_usable_model_are_refused_as_a_whole(hub: StubHub, config: Settings) -> None:
    hub.files["model.pt"] = b"no tensors at all"
    with pytest.raises(ModelError, match="Hugging Face serves files that are not a model which can be used"):
        pull(config)
    assert not target(config).exists()


def full_after(count: int) -> Callable[[Path, str], BinaryIO]:
    """Opens model.pt on a disk with room for `count` bytes."""

    class Full:
        def __init__(self, path: Path, mode: str) -> None:
            self._file = open(path, mode)  # noqa: SIM115 – closed below

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *exception: object) -> None:
            self._file.close()

        def write(self, data: bytes) -> None:
            room = count - self._file.tell()
            self._file.write(data[:room])
            if len(data) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open_part(path: Path, mode: str) -> Any:
        return Full(path, mode) if path.name.startswith("model.pt") else open(path, mode)

    return open_part


def test_a_disk_that_fills_up_is_a_sentence_and_what_arrived_is_kept(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(transfer, "open_part", full_after(20_000))
        with pytest.raises(ModelError, match=r"disk of .* is full.*is kept; free some space"):
            pull(config)
    assert part(config).read_bytes() == hub.files["model.pt"][:20_000]
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked()[-1] == "bytes=20000-"


def test_too_little_space_is_told_before_anything_is_downloaded(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = downloads.plan(config, "huggingface")
    asked = len(hub.asked)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1000, 1000, plan.total_bytes - 1))
    with pytest.raises(ModelError, match=r"needs .* MB more .*EMOSTORE_DATA_DIR"):
        downloads.download(plan)
    assert len(hub.asked) == asked


def test_a_folder_that_cannot_be_written_is_a_sentence(config: Settings, tmp_path: Path) -> None:
    plan = downloads.plan(config, "huggingface")
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="cannot be written to"):
        downloads.download(plan)


def test_without_a_network_both_hubs_problems_and_the_way_by_hand_are_told(tmp_path: Path) -> None:
    config = Settings(data_dir=tmp_path / "data", modelscope_url=closed_port(), huggingface_url=closed_port())
    with pytest.raises(ModelError) as caught:
        downloads.plan(config)
    told = str(caught.value)
    for part_of_it in ("ModelScope: No connection", "Hugging Face: No connection", "model.pt", str(target(config))):
        assert part_of_it in told
    with pytest.raises(ModelError, match=r"ModelScope cannot be used now\. No connection could be made"):
        downloads.plan(config, "modelscope")


def test_a_hub_that_goes_away_after_the_listing_is_a_sentence(original: Path, tmp_path: Path) -> None:
    hub = StubHub.of(original)
    plan = downloads.plan(Settings(data_dir=tmp_path, huggingface_url=hub.url), "huggingface")
    hub.close()
    with pytest.raises(ModelError, match=r"broke off: No connection could be made"):
        downloads.download(plan)


def test_a_hub_that_accepts_and_says_nothing_is_not_waited_for(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.hold_listing.clear()
    monkeypatch.setattr(connection, "READ_S", 0.2)
    with pytest.raises(ModelError, match=r"no answer within 0\.2 seconds"):
        downloads.plan(config)


def test_name_servers_that_say_nothing_are_not_waited_for(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.hold_listing.clear()
    monkeypatch.setattr(planning, "ANSWER_WITHIN_S", 0.2)
    with pytest.raises(ModelError, match=r"ModelScope: There was no answer .* Hugging Face: There was no answer"):
        downloads.plan(config)


def test_a_connection_that_stalls_is_tried_again(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_S", 0.5)
    hub.stall_at = 30_000
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked() == [None, "bytes=30000-"]


LISTINGS = {
    "larger than": b" " * (1024 * 1024 + 1),
    "not a list of the model's files": b'{"Data": {"Files": null}, "siblings": 7}',
    "lacks config.yaml, tokens.txt, model.pt": json.dumps(
        {"Data": {"Files": []}, "sha": COMMIT, "siblings": []}
    ).encode(),
}


@pytest.mark.parametrize("source", HUBS)
@pytest.mark.parametrize("problem", LISTINGS)
def test_a_listing_that_cannot_be_right_is_refused(
    hub: StubHub, config: Settings, source: downloads.HubName, problem: str
) -> None:
    hub.listing = LISTINGS[problem]
    with pytest.raises(ModelError, match=problem):
        downloads.plan(config, source)


@pytest.mark.parametrize("source", HUBS)
def test_weights_without_a_hash_to_check_them_by_are_refused(
    hub: StubHub, config: Settings, source: downloads.HubName
) -> None:
    hub.hashes = False
    with pytest.raises(ModelError, match=r"no SHA-256 of model\.pt"):
        downloads.plan(config, source)


def test_weights_of_an_impossible_size_are_refused(hub: StubHub, config: Settings) -> None:
    listing = json.loads(hub.huggingface_listing())
    next(each for each in listing["siblings"] if each["rfilename"] == "model.pt")["size"] = 2**40
    hub.listing = json.dumps(listing).encode()
    with pytest.raises(ModelError, match=r"model\.pt .*1099511627776 bytes; 1 to 4294967296 are allowed"):
        downloads.plan(config, "huggingface")


@pytest.mark.parametrize("source", HUBS)
def test_no_name_in_a_listing_leads_out_of_the_folder(
    hub: StubHub, config: Settings, source: downloads.HubName, tmp_path: Path
) -> None:
    hub.extra = ["../../escaped.txt", "/tmp/escaped.txt", "model.pt/../../x", "..\\x", "hook.py", "example/test.wav"]
    plan = downloads.plan(config, source)
    assert {file.name for file in plan.files} == set(hub.files)
    assert contents(downloads.download(plan)) == hub.files
    assert not list(tmp_path.rglob("escaped*"))


def test_stopping_leaves_a_part_that_is_continued(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REPORT_EVERY_S", 0.0)
    hub.stall_at = 30_000  # of 400,000 or so: the rest comes only to a reader who did not stop
    seen: list[downloads.DownloadProgress] = []
    before = sum(len(content) for name, content in hub.files.items() if name != "model.pt")

    def cancelled() -> bool:
        begun = bool(seen) and seen[-1].done_bytes > before
        if begun:
            hub.go_on.set()
        return begun

    with pytest.raises(DownloadCancelledError, match=r"stopped\. What has arrived is kept"):
        pull(config, progress=seen.append, cancelled=cancelled)
    kept = part(config).stat().st_size
    assert 0 < kept < len(hub.files["model.pt"])
    assert part(config).read_bytes() == hub.files["model.pt"][:kept]
    assert not target(config).exists()
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked()[-1] == f"bytes={kept}-"


def test_a_second_download_at_the_same_time_is_refused(hub: StubHub, config: Settings) -> None:
    hub.stall_at = 30_000
    first = threading.Thread(target=pull, args=(config,))
    first.start()
    try:
        assert hub.stalled.wait(20)
        with pytest.raises(ModelError, match="Another download of the model is running"):
            pull(config)
    finally:
        hub.go_on.set()
        first.join()
    assert contents(target(config)) == hub.files


def test_progress_grows_to_the_total_and_names_each_phase(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REPORT_EVERY_S", 0.0)
    seen: list[downloads.DownloadProgress] = []
    plan = downloads.plan(config, "huggingface")
    downloads.download(plan, progress=seen.append)
    done = [each.done_bytes for each in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, plan.total_bytes)
    assert {each.total_bytes for each in seen} == {plan.total_bytes}
    assert {each.phase for each in seen} == {"downloading", "checking"}
    assert {each.file for each in seen} == set(hub.files)
    last = next(each for each in reversed(seen) if each.phase == "downloading")
    assert last.bytes_per_s is not None
    assert last.bytes_per_s > 0
    assert last.seconds_left is not None


def test_an_installed_model_is_not_downloaded_again(hub: StubHub, config: Settings) -> None:
    folder = pull(config)
    hub.asked.clear()
    plan = downloads.plan(config, "modelscope")
    assert plan.already_bytes == plan.total_bytes
    assert downloads.download(plan) == folder
    assert len(hub.asked) == 1


def test_an_update_takes_only_what_changed_and_replaces_the_folder(hub: StubHub, config: Settings) -> None:
    folder = pull(config)
    hub.files["README.md"] = b"# A new version\n"
    hub.asked.clear()
    assert pull(config) == folder
    assert contents(folder) == hub.files
    assert hub.ranges_asked() == []
    assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == ["emotion2vec_plus_large"]


def test_a_folder_copied_by_hand_and_incomplete_is_completed(hub: StubHub, config: Settings, original: Path) -> None:
    shutil.copytree(original, target(config))
    (target(config) / "tokens.txt").unlink()
    assert contents(pull(config)) == hub.files
    assert hub.ranges_asked() == []


def test_a_download_needs_the_right_to_administer(
    hub: StubHub, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = downloads.plan(config, "huggingface")
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "administer")
    with pytest.raises(AccessError):
        downloads.download(plan)
    assert not config.data_dir.exists()


def test_a_record_that_is_no_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "download.json").write_text('{"source": "elsewhere"}')
    assert downloads.read_record(tmp_path) is None


@pytest.fixture
def run(hub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMOSTORE_MODELSCOPE_URL", hub.url)
    monkeypatch.setenv("EMOSTORE_HUGGINGFACE_URL", hub.url + "/")
    current_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, ["models", "pull", *arguments])
    current_settings.cache_clear()


def test_the_command_downloads_and_says_what_is_installed(hub: StubHub, run: Callable[..., Result]) -> None:
    done = run("--from", "huggingface", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["name"], told["source"], told["commit"]) == ("emotion2vec_plus_large", "huggingface", COMMIT)
    assert contents(Path(told["where"])) == hub.files
    assert "Licence: FunASR" in done.stderr
    assert "100 %" in done.stderr
    again = run("--from", "modelscope")
    assert again.exit_code == 0
    assert f"emotion2vec_plus_large at {COMMIT}" in again.stdout


def test_the_command_fails_with_a_sentence(hub: StubHub, run: Callable[..., Result]) -> None:
    hub.listing = b"{}"
    failed = run()
    assert failed.exit_code == 2
    assert "Error: Neither hub can be used now" in failed.stderr
    assert "Traceback" not in failed.output
    assert failed.stdout == ""


def test_ctrl_c_stops_the_command_and_leaves_a_part_to_continue(hub: StubHub, config: Settings) -> None:
    hub.stall_at = 30_000
    environment = os.environ | {"EMOSTORE_DATA_DIR": str(config.data_dir), "EMOSTORE_HUGGINGFACE_URL": hub.url}
    command = [sys.executable, "-m", "emostore", "models", "pull", "--from", "huggingface"]
    # A shell ignores SIGINT for what it starts in the background, and a child would inherit that.
    listen = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=listen
    ) as process:
        assert hub.stalled.wait(60)
        while not list(target(config).parent.glob("*.partial/model.pt.*.part")):  # sent is not yet received
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "What has arrived is kept" in errors
    assert "Traceback" not in errors
    assert part(config).read_bytes() == hub.files["model.pt"][: part(config).stat().st_size]
    hub.go_on.set()
    assert contents(pull(config)) == hub.files


def test_an_address_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOSTORE_MODELSCOPE_URL", "modelscope.cn")
    current_settings.cache_clear()
    with pytest.raises(SettingsError, match="EMOSTORE_MODELSCOPE_URL"):
        current_settings()
    current_settings.cache_clear()


def test_a_download_goes_on_in_the_background_until_the_model_is_there(hub: StubHub, config: Settings) -> None:
    task = downloads.BackgroundDownload()
    task.start(downloads.plan(config, "modelscope"))
    task.start(downloads.plan(config, "modelscope"))  # a second page asks, too: nothing happens twice
    task.wait(60)
    assert (task.running, task.finished, task.problem) == (False, True, None)
    assert task.progress is not None
    assert task.progress.done_bytes == task.progress.total_bytes
    assert contents(target(config)) == hub.files


def test_a_failed_background_download_says_why_and_the_next_one_mends_it(hub: StubHub, config: Settings) -> None:
    plan = downloads.plan(config, "huggingface")
    right, hub.files["model.pt"] = hub.files["model.pt"], b"\0" * len(hub.files["model.pt"])
    task = downloads.BackgroundDownload()
    task.start(plan)
    task.wait(60)
    assert not task.finished
    assert isinstance(task.problem, ModelError)
    hub.files["model.pt"] = right
    task.start(plan)
    task.wait(60)
    assert (task.finished, task.problem) == (True, None)


def test_a_cancelled_background_download_is_no_problem(hub: StubHub, config: Settings) -> None:
    hub.stall_at = 1000
    task = downloads.BackgroundDownload()
    task.start(downloads.plan(config, "huggingface"))
    assert hub.stalled.wait(30)
    assert task.running
    task.cancel()
    hub.go_on.set()
    task.wait(60)
    assert (task.running, task.finished, task.problem) == (False, False, None)
    assert not target(config).exists()
