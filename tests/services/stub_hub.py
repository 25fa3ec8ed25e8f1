"""A small ModelScope and Hugging Face in one, over real HTTP on loopback, which can be told to misbehave.

Both protocols as the public hubs speak them: Hugging Face sends on to another path for every file, and
ModelScope answers ranges with status 200.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUGGINGFACE = "emotion2vec/emotion2vec_plus_large"
MODELSCOPE = "iic/emotion2vec_plus_large"
LFS = "model.pt"


@dataclass(frozen=True)
class Asked:
    """A request: its path with the query, and the range it named."""

    path: str
    range: str | None


class StubHub:
    """`files` are listed; the other attributes are what goes wrong."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.served: dict[str, bytes] = {}  # contents other than those that are listed
        self.listing: bytes | None = None  # instead of a proper one
        self.extra: list[str] = []  # more names in the listing
        self.hashes = True
        self.ranges = True
        self.range_shift = 0  # bytes by which a range is missed
        self.breaks: list[int] = []  # after how many bytes each coming answer of model.pt ends
        self.statuses: list[int] = []  # of the coming answers of model.pt
        self.hold_listing = threading.Event()
        self.hold_listing.set()
        self.stall_at: int | None = None  # byte of model.pt after which nothing comes until `go_on`
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, folder: Path) -> StubHub:
        return cls({path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()})

    def close(self) -> None:
        self.hold_listing.set()
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def ranges_asked(self, name: str = LFS) -> list[str | None]:
        """The range of each request that was answered, or failed, with the file's content."""
        place = self._place(name)
        return [each.range for each in self.asked if each.path in (place, self._modelscope_path(name))]

    def _place(self, name: str) -> str:
        """The path to which Hugging Face sends on: another machine in life."""
        return f"/cdn/{name}" if name == LFS else f"/api/resolve-cache/{name}"

    def _modelscope_path(self, name: str) -> str:
        return f"/api/v1/models/{MODELSCOPE}/repo?Revision=master&FilePath={name}"

    def huggingface_listing(self) -> bytes:
        return json.dumps(
            {"sha": COMMIT, "siblings": [self._sibling(name, content) for name, content in self._listed()]}
        ).encode()

    def _sibling(self, name: str, content: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {"rfilename": name, "size": len(content)}
        if self.hashes and name == LFS:
            sha256 = hashlib.sha256(content).hexdigest()
            found |= {"blobId": "f" * 40, "lfs": {"sha256": sha256, "size": len(content), "pointerSize": 135}}
        elif self.hashes:
            found["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return found

    def modelscope_listing(self) -> bytes:
        files = [{"Path": "example", "Name": "example", "Type": "tree", "Size": 0, "Sha256": "", "Revision": COMMIT}]
        for name, content in self._listed():
            sha256 = hashlib.sha256(content).hexdigest() if self.hashes else ""
            entry = {"Path": name, "Name": name, "Type": "blob", "Size": len(content), "Sha256": sha256}
            files.append({**entry, "IsLFS": name == LFS, "Revision": COMMIT})
        data = {"Files": files, "IsVisual": 0, "LatestCommitter": {"Id": "", "ShortId": COMMIT[:8]}}
        return json.dumps({"Code": 200, "Data": data, "Message": "success", "Success": True}).encode()

    def _listed(self) -> list[tuple[str, bytes]]:
        return [*self.files.items(), *((name, b"trick") for name in self.extra)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: StubHub

    def do_GET(self) -> None:
        hub, split = self.hub, urlsplit(self.path)
        hub.asked.append(Asked(self.path, self.headers.get("Range")))
        try:
            if split.path == f"/api/models/{HUGGINGFACE}/revision/main":
                self._list(hub.huggingface_listing())
            elif split.path == f"/api/v1/models/{MODELSCOPE}/repo/files":
                self._list(hub.modelscope_listing())
            elif found := re.fullmatch(f"/{HUGGINGFACE}/resolve/{COMMIT}/(.+)", split.path):
                self._send_on(found[1])
            elif found := re.fullmatch("/(?:cdn|api/resolve-cache)/(.+)", split.path):
                self._content(found[1], 206)
            elif split.path == f"/api/v1/models/{MODELSCOPE}/repo":
                self._content(parse_qs(split.query)["FilePath"][0], 200)
            else:
                self._answer(404)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client stopped, as it may

    def _list(self, listing: bytes) -> None:
        self.hub.hold_listing.wait()
        self._answer(200, self.hub.listing or listing, {"Content-Type": "application/json"})

    def _send_on(self, name: str) -> None:
        if name not in self.hub.files:
            self._answer(404)
        elif name == LFS:
            sha256 = hashlib.sha256(self.hub.files[name]).hexdigest()
            headers = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(self.hub.files[name]))}
            self._answer(302, b"elsewhere", {**headers, "Location": self.hub.url + self.hub._place(name)})
        else:
            self._answer(307, b"elsewhere", {"Location": self.hub._place(name), "X-Repo-Commit": COMMIT})

    def _content(self, name: str, partial_status: int) -> None:
        hub = self.hub
        content = hub.served.get(name, hub.files.get(name))
        if content is None:
            return self._answer(404)
        if name == LFS and hub.statuses and (status := hub.statuses.pop(0)) != 200:
            return self._answer(status)
        headers = {"ETag": f'"{hashlib.md5(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        start, status = 0, 200
        if hub.ranges and (found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")):
            start, status = int(found[1]), partial_status
            if start >= len(content):
                return self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            start += hub.range_shift
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(status, len(content) - start, headers)
        if name == LFS:
            start = self._misbehave(content, start)
        self.wfile.write(content[start:])
        return None

    def _misbehave(self, content: bytes, start: int) -> int:
        """Send a part of the content, as far as something is to go wrong, and return what comes next."""
        hub = self.hub
        if hub.breaks:
            self.wfile.write(content[start : start + hub.breaks.pop(0)])
            self.close_connection = True
            return len(content)
        if hub.stall_at is not None and start < hub.stall_at:
            self.wfile.write(content[start : hub.stall_at])
            self.wfile.flush()
            start = hub.stall_at
            hub.stalled.set()
            hub.go_on.wait()
        return start

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        self.wfile.write(body)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at `asked`."""
