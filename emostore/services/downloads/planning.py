"""What a download would bring, and from where: asked of the hubs, with nothing downloaded yet."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emostore.config import Settings
from emostore.engine.checkpoint import FILES, LARGE, LICENCES
from emostore.engine.places import download_folder
from emostore.errors import ModelError
from emostore.services.downloads.connection import READ_S, UnreachableError
from emostore.services.downloads.hubs import HUBS, Hub, HubName, Listing, RemoteFile
from emostore.services.downloads.transfer import part_path, size_of

Source = Literal["auto", "modelscope", "huggingface"]

# Name servers that do not answer have no time limit of their own; together with a slow answer this is the longest.
ANSWER_WITHIN_S = READ_S + 5


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What is to be downloaded, sizes in bytes.

    `source` is the hub, `hub_title` its name for people, `commit` the revision it offers; `target` is the
    folder that the model will be in. `already_bytes` are here from an earlier try.
    """

    source: HubName
    hub_title: str
    repository: str
    base_url: str
    commit: str
    files: tuple[RemoteFile, ...]
    total_bytes: int
    already_bytes: int
    licence: str
    target: Path

    @property
    def partial(self) -> Path:
        """The folder in which the files gather until all are there."""
        return partial_folder(self.target)


def plan(settings: Settings, source: Source = "auto") -> DownloadPlan:
    """Ask the hub, or with `auto` both at once and take the one that first answers properly.

    Raises `ModelError` saying what is wrong with each hub that was asked and what to do without one.
    """
    if source != "auto" and source not in HUBS:
        raise ModelError(
            "{source} is not a source of the model. Choose one of {allowed}.",
            source=repr(source),
            allowed=", ".join(("auto", *HUBS)),
        )
    asked = list(HUBS.values()) if source == "auto" else [HUBS[source]]
    target = download_folder(settings.data_dir).absolute()
    listing = _first_answer(asked, settings, target)
    return DownloadPlan(
        source=listing.hub.name,
        hub_title=listing.hub.title,
        repository=listing.hub.repository,
        base_url=listing.hub.base_url(settings),
        commit=listing.commit,
        files=listing.files,
        total_bytes=sum(file.size for file in listing.files),
        already_bytes=sum(_already(file, target) for file in listing.files),
        licence=LICENCES[LARGE],
        target=target,
    )


def partial_folder(target: Path) -> Path:
    """Where a download for `target` gathers: beside it, under a name that nothing looks for."""
    return target.with_name(target.name + ".partial")


def _already(file: RemoteFile, target: Path) -> int:
    """Bytes of the file that are on this machine, by size alone: the download checks them."""
    partial = partial_folder(target)
    if file.size in (size_of(partial / file.name), size_of(target / file.name)):
        return file.size
    return min(size_of(part_path(partial, file)), file.size) if file.identity else 0


def _first_answer(asked: list[Hub], settings: Settings, target: Path) -> Listing:
    answers: queue.SimpleQueue[tuple[Hub, Listing | ModelError]] = queue.SimpleQueue()

    def ask(hub: Hub) -> None:
        try:
            answers.put((hub, hub.list_files(settings)))
        except UnreachableError as error:
            answers.put((hub, error.problem))
        except Exception as error:  # a thread that ended without an answer would be waited for
            answers.put((hub, ModelError("It failed unexpectedly ({detail}).", detail=repr(error))))

    for hub in asked:
        # Daemons, so that the slower hub keeps nobody from leaving.
        threading.Thread(target=ask, args=(hub,), name=f"ask-{hub.name}", daemon=True).start()
    problems: dict[str, ModelError] = {}
    until = time.monotonic() + ANSWER_WITHIN_S
    while len(problems) < len(asked):
        try:
            hub, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(answer, Listing):
            return answer
        problems[hub.name] = answer
    raise _no_answer(asked, problems, target)


def _no_answer(asked: list[Hub], problems: dict[str, ModelError], target: Path) -> ModelError:
    silent = ModelError("There was no answer within {seconds} seconds.", seconds=f"{ANSWER_WITHIN_S:g}")
    by_hand = {"files": ", ".join(FILES), "path": str(target)}
    if len(asked) == 1:
        return ModelError(
            "{hub} cannot be used now. {problem} Check the network, take the other hub, or copy {files} by hand "
            "to {path}.",
            hub=asked[0].title,
            problem=problems.get(asked[0].name, silent),
            **by_hand,
        )
    return ModelError(
        "Neither hub can be used now. ModelScope: {modelscope} Hugging Face: {huggingface} Check the network, or "
        "copy {files} by hand to {path}.",
        modelscope=problems.get("modelscope", silent),
        huggingface=problems.get("huggingface", silent),
        **by_hand,
    )
