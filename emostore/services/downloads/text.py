"""A download as the command line prints it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from emostore.engine.checkpoint import LARGE
from emostore.services.downloads.installing import read_record
from emostore.services.downloads.planning import DownloadPlan
from emostore.services.downloads.progress import DownloadProgress


def plan_as_text(plan: DownloadPlan) -> str:
    """What is about to be downloaded, from where and under which licence."""
    here = f", {size(plan.already_bytes)} of it here already" if plan.already_bytes else ""
    return f"{LARGE} from {plan.hub_title}: {size(plan.total_bytes)}{here}\nLicence: {plan.licence}"


def progress_as_text(moment: DownloadProgress) -> str:
    """A moment of the download in one line."""
    percent = 100 * moment.done_bytes // max(1, moment.total_bytes)
    line = f"{percent:3d} %  {size(moment.done_bytes)} of {size(moment.total_bytes)}  {moment.phase} {moment.file}"
    if moment.phase == "downloading" and moment.bytes_per_s is not None and moment.seconds_left is not None:
        minutes, seconds = divmod(round(moment.seconds_left), 60)
        line += f"  {size(round(moment.bytes_per_s))}/s, {minutes}:{seconds:02d} left"
    return line


def progress_line(stream: TextIO) -> Callable[[DownloadProgress], None]:
    """Writes progress to `stream`: one line kept up to date on a terminal, a new one for each percent elsewhere."""
    shown = ""

    def show(moment: DownloadProgress) -> None:
        nonlocal shown
        line = progress_as_text(moment)
        if stream.isatty():
            stream.write("\r" + line.ljust(len(shown)) + ("\n" if moment.done_bytes == moment.total_bytes else ""))
            stream.flush()
        elif line.split("%")[0] != shown.split("%")[0]:  # a log file is no place for five lines a second
            stream.write(line + "\n")
        shown = line

    return show


def installed_as_text(folder: Path) -> str:
    """Which model is installed now, and where."""
    record = read_record(folder)
    revision = f" at {record.commit} from {record.repository}" if record else ""
    return f"{LARGE}{revision} is installed in {folder}"


def installed_as_json(folder: Path) -> str:
    """The same as an object; what is not known of a folder copied by hand is null."""
    record = read_record(folder)
    known = json.loads(record.model_dump_json()) if record else {}
    keys = ("source", "repository", "commit", "downloaded_at")
    return json.dumps({"name": LARGE, "where": str(folder), **{key: known.get(key) for key in keys}})


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"
