"""Emotion2Vec+ Large from ModelScope or Hugging Face, on request only.

Both hubs have a library of their own, and both are installed with FunASR; plain HTTP over httpx2 serves
better here: one way to resume, check, cancel and report for both hubs and their mirrors, and a partial
file that one hub began can be finished by the other. What a page or a command needs:

    plan(settings, "auto")                       # asks the hubs, downloads nothing
    download(plan, progress=..., cancelled=...)  # the checkpoint's folder
    read_record(folder)                          # where an installed one came from
"""

from emostore.services.downloads.background import BackgroundDownload
from emostore.services.downloads.hubs import HubName, RemoteFile
from emostore.services.downloads.installing import DownloadRecord, download, read_record
from emostore.services.downloads.planning import DownloadPlan, Source, plan
from emostore.services.downloads.progress import DownloadProgress
from emostore.services.downloads.transfer import DownloadCancelledError

__all__ = [
    "BackgroundDownload",
    "DownloadCancelledError",
    "DownloadPlan",
    "DownloadProgress",
    "DownloadRecord",
    "HubName",
    "RemoteFile",
    "Source",
    "download",
    "plan",
    "read_record",
]
