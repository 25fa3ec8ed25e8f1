"""What the two hubs list of the model: which files, how large, with which hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, Field, ValidationError

from emostore.config import Settings
from emostore.engine.checkpoint import CONFIG, FILES, LARGE, TOKENS, WEIGHTS
from emostore.engine.places import HUGGINGFACE_OWNER, MODELSCOPE_OWNER
from emostore.errors import ModelError
from emostore.services.downloads.connection import UnreachableError, new_client, problem_of, status_problem

HubName = Literal["modelscope", "huggingface"]

MIB = 1024**2
MAX_LISTING_BYTES = MIB
# The only names that are ever written, with their largest size in bytes. Whatever else a listing names, a path
# out of the folder included, is left where it is.
LIMITS: Mapping[str, int] = {
    CONFIG: MIB,
    "configuration.json": MIB,
    TOKENS: MIB,
    "README.md": MIB,
    "LICENSE": MIB,
    WEIGHTS: 4096 * MIB,
}


class Entry(NamedTuple):
    """A line of a hub's listing, not yet judged."""

    path: str
    size: int | None
    sha256: str | None
    git_blob: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of the model as a hub lists it; `size` in bytes, hashes in lower-case hex digits.

    `git_blob` is the SHA-1 by which git knows the file: what Hugging Face states of files outside LFS.
    """

    name: str
    size: int
    url: str
    sha256: str | None
    git_blob: str | None = None

    @property
    def identity(self) -> str | None:
        """What tells these bytes from others of the same name and size."""
        return self.sha256 or self.git_blob


@dataclass(frozen=True, slots=True)
class Listing:
    """What a hub offers: the files to download, small ones first, and the commit they belong to."""

    hub: Hub
    commit: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub and how it is asked; `parse` reads the listing, `file_url` is formatted with `commit` and `path`."""

    name: HubName
    title: str
    repository: str
    listing_url: str
    file_url: str
    parse: Callable[[bytes], tuple[str, list[Entry]]]

    def base_url(self, settings: Settings) -> str:
        """Where the hub, or the mirror that the settings name, answers."""
        return settings.modelscope_url if self.name == "modelscope" else settings.huggingface_url

    def list_files(self, settings: Settings) -> Listing:
        """Ask the hub. Raises `UnreachableError` if there is no answer, or none that can be used."""
        base = self.base_url(settings)
        content = _get(base + self.listing_url)
        try:
            commit, entries = self.parse(content)
        except (ValidationError, LookupError) as error:
            raise UnreachableError(
                ModelError("The answer is not a list of the model's files; {url} may be another server.", url=base)
            ) from error
        pattern = base + self.file_url.replace("{commit}", commit)
        return Listing(self, commit, _wanted(entries, pattern))


def _get(url: str) -> bytes:
    """The answer's body, of bounded size."""
    body = bytearray()
    try:
        with new_client() as client, client.stream("GET", url) as response:
            if response.status_code != 200:
                raise UnreachableError(status_problem(response.status_code))
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_LISTING_BYTES:
                    raise UnreachableError(
                        ModelError("The list of files is larger than {limit} bytes.", limit=MAX_LISTING_BYTES)
                    )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UnreachableError(problem_of(error)) from error
    return bytes(body)


def _wanted(entries: Iterable[Entry], pattern: str) -> tuple[RemoteFile, ...]:
    """The files that inference needs and small ones that describe them. Raises `UnreachableError` if one is amiss."""
    found: dict[str, RemoteFile] = {}
    for path, size, sha256, git_blob in entries:
        if path not in LIMITS or (path not in FILES and (size is None or size > LIMITS[path])):
            continue
        if path in found or size is None or not 0 < size <= LIMITS[path]:
            raise UnreachableError(
                ModelError(
                    "The list names {name} twice or with a size of {size} bytes; 1 to {limit} are allowed.",
                    name=path,
                    size="?" if size is None else size,
                    limit=LIMITS[path],
                )
            )
        if path == WEIGHTS and sha256 is None:
            raise UnreachableError(ModelError("The list states no SHA-256 of {name}, to check it by.", name=path))
        found[path] = RemoteFile(path, size, pattern.replace("{path}", quote(path)), sha256, git_blob)
    missing = [name for name in FILES if name not in found]
    if missing:
        raise UnreachableError(ModelError("The list of files lacks {missing}.", missing=", ".join(missing)))
    # The small ones first: what cannot work fails before the gigabytes.
    return tuple(found[name] for name in LIMITS if name in found)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{7,64}$")]


class _Lfs(BaseModel):
    sha256: Sha256


class _Sibling(BaseModel):
    rfilename: str
    size: int | None = None
    blob_id: Annotated[str | None, Field(alias="blobId", pattern=r"^[0-9a-f]{40}$")] = None
    lfs: _Lfs | None = None


class _HuggingFaceListing(BaseModel):
    """See https://huggingface.co/docs/hub/api: the model's information with `blobs`, which adds sizes and hashes."""

    sha: Commit
    siblings: list[_Sibling]


class _Entry(BaseModel):
    path: str = Field(alias="Path")
    kind: str = Field("blob", alias="Type")
    size: int | None = Field(None, alias="Size")
    sha256: Sha256 | Literal[""] | None = Field(None, alias="Sha256")
    revision: Commit | Literal[""] | None = Field(None, alias="Revision")


class _Files(BaseModel):
    files: list[_Entry] = Field(alias="Files")


class _ModelScopeListing(BaseModel):
    """What `modelscope_hub` reads too; an unknown repository is an answer without `Files`."""

    data: _Files = Field(alias="Data")


def _parse_huggingface(content: bytes) -> tuple[str, list[Entry]]:
    listing = _HuggingFaceListing.model_validate_json(content)
    return listing.sha.lower(), [
        # The blob of an LFS file is its pointer, so it says nothing of the content.
        Entry(each.rfilename, each.size, each.lfs.sha256.lower())
        if each.lfs
        else Entry(each.rfilename, each.size, None, each.blob_id)
        for each in listing.siblings
    ]


def _parse_modelscope(content: bytes) -> tuple[str, list[Entry]]:
    files = [each for each in _ModelScopeListing.model_validate_json(content).data.files if each.kind != "tree"]
    # The commit of the whole is often left empty; each file names the one that last changed it.
    commit = next((each.revision for each in files if each.path == WEIGHTS and each.revision), "master")
    return commit.lower(), [Entry(each.path, each.size, (each.sha256 or "").lower() or None) for each in files]


HUBS: Mapping[HubName, Hub] = {
    "modelscope": Hub(
        "modelscope",
        "ModelScope",
        f"{MODELSCOPE_OWNER}/{LARGE}",
        f"/api/v1/models/{MODELSCOPE_OWNER}/{LARGE}/repo/files?Revision=master&Recursive=True",
        # By branch: the commit of the weights may be older than that of another file.
        f"/api/v1/models/{MODELSCOPE_OWNER}/{LARGE}/repo?Revision=master&FilePath={{path}}",
        _parse_modelscope,
    ),
    "huggingface": Hub(
        "huggingface",
        "Hugging Face",
        f"{HUGGINGFACE_OWNER}/{LARGE}",
        f"/api/models/{HUGGINGFACE_OWNER}/{LARGE}/revision/main?blobs=true",
        f"/{HUGGINGFACE_OWNER}/{LARGE}/resolve/{{commit}}/{{path}}",
        _parse_huggingface,
    ),
}
