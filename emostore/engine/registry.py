"""What `EMOSTORE_MODEL` means: which models there are, and the one that is used, loaded once a process."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from emostore.config import Precision, Settings
from emostore.emotions import EMOTIONS
from emostore.engine import places
from emostore.engine.checkpoint import FILES, LARGE, LICENCES, UNKNOWN_LICENCE, Checkpoint, describe, missing_files
from emostore.engine.recognizer import Recognizer
from emostore.engine.weights import FileState, state_of
from emostore.errors import EmostoreError, ModelError

AUTO, BASELINE = "auto", "baseline"
NAMES = (AUTO, BASELINE, LARGE)
REFERENCE = "funasr"  # the large model in FunASR's own code, to compare with; `funasr:<folder>` for another checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One model that could be used.

    `name` is what `EMOSTORE_MODEL` takes; `where` its folder, None for the bundled one and one that is
    nowhere; `problem` says why it cannot be used. `classes` are the emotions that it can produce.
    """

    name: str
    where: Path | None
    installed: bool
    problem: EmostoreError | None
    licence: str
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A model to load; a checkpoint whose files were replaced, or another way to run it, is another choice."""

    path: Path | None = None  # None is the bundled baseline
    files: tuple[FileState | None, ...] = ()
    reference: bool = False
    threads: int | None = None
    precision: Precision = "auto"
    cache_dir: Path | None = field(default=None, compare=False)


_lock = threading.RLock()
_loaded: dict[_Choice, Recognizer] = {}
_failed: dict[_Choice, ModelError] = {}  # so that `auto` does not read damaged 1.9 GB again for every clip


def load_recognizer(settings: Settings) -> Recognizer:
    """The recogniser that the settings ask for, loaded once a process, also when threads ask at once.

    `auto` is decided at each call, so that a download is used as soon as it is complete; nothing is ever
    downloaded here. Raises `ModelError` saying what was looked for and what to do.
    """
    choice = _choose(settings)
    try:
        return _load(choice)
    except ModelError as error:
        if settings.model != AUTO or choice.path is None:
            raise
        logger.debug("the bundled baseline is used instead of %s: %s", choice.path, error)
        return _load(_Choice())


def available_models(settings: Settings) -> list[ModelListing]:
    """Every model with where it lies and, if it cannot be used, why. Loads no checkpoint."""
    listings = [_list_baseline(), _list_large(settings)]
    if settings.model == REFERENCE:
        listings.append(replace(listings[-1], name=REFERENCE))
    elif settings.model not in NAMES:
        folder = Path(settings.model.removeprefix(f"{REFERENCE}:")).expanduser()
        listings.append(_list_folder(settings.model, folder, settings))
    return listings


def checkpoint_folder(settings: Settings) -> Path:
    """The checkpoint that the settings mean, where `auto` and `funasr` mean the large model.

    Raises `ModelError` where it is not here, and for the bundled model, which has no checkpoint.
    """
    if settings.model in (AUTO, REFERENCE):
        settings = settings.model_copy(update={"model": LARGE})
    found = _choose(settings).path
    if found is None:
        raise ModelError(
            "{name} is bundled and has no checkpoint. Name {large}, or the folder of one.", name=BASELINE, large=LARGE
        )
    return found


def clear() -> None:
    """Forget what was loaded, so that tests begin afresh."""
    with _lock:
        _loaded.clear()
        _failed.clear()


def _choose(settings: Settings) -> _Choice:
    """What is to be loaded. Raises `ModelError` where it is not there."""
    if settings.model == BASELINE:
        return _Choice()
    if settings.model not in (*NAMES, REFERENCE):
        return _checkpoint_choice(_existing(settings.model), settings)
    found, incomplete = places.find(settings.data_dir)
    if found:
        return _checkpoint_choice(found, settings)
    if settings.model == AUTO:
        return _Choice()
    raise _not_in_cache(settings, incomplete)


def _checkpoint_choice(path: Path, settings: Settings) -> _Choice:
    return _Choice(
        path=path.absolute(),
        files=tuple(_state(path / name) for name in FILES),
        reference=settings.model == REFERENCE or settings.model.startswith(f"{REFERENCE}:"),
        threads=settings.threads,
        precision=settings.precision,
        cache_dir=settings.cache_dir.absolute(),
    )


def _state(file: Path) -> FileState | None:
    try:
        return state_of(file)
    except OSError:
        return None


def _existing(value: str) -> Path:
    """The folder that a setting names, be it for FunASR or for the app's own engine."""
    folder = value.removeprefix(f"{REFERENCE}:")
    path = Path(folder).expanduser()
    if not folder or not path.is_dir():
        raise ModelError(
            "EMOSTORE_MODEL is set to {value}, which is neither one of {allowed} nor a folder. "
            "Set it to one of these names or to the folder of a checkpoint.",
            value=value,
            allowed=", ".join((*NAMES, REFERENCE)),
        )
    return path


def _not_in_cache(settings: Settings, incomplete: tuple[Path, ...]) -> ModelError:
    if incomplete:
        return ModelError(
            "{name} is only partly downloaded: {path} lacks {missing}. Finish the download, or set EMOSTORE_MODEL "
            "to auto to use the bundled baseline meanwhile.",
            name=LARGE,
            path=str(incomplete[0]),
            missing=", ".join(missing_files(incomplete[0])),
        )
    return ModelError(
        "{name} is not on this machine; it was looked for in {places}. Download it, or set EMOSTORE_MODEL to auto to "
        "use the bundled baseline meanwhile.",
        name=LARGE,
        places=", ".join(str(path) for path in places.search(settings.data_dir)),
    )


def _load(choice: _Choice) -> Recognizer:
    with _lock:  # held while loading, so that a second thread waits instead of loading too
        if choice in _failed:
            known = _failed[choice]
            raise ModelError(known.message, **known.params)
        if choice not in _loaded:
            try:
                _loaded[choice] = _read(choice)
            except ModelError as error:
                _failed[choice] = error
                logger.warning("a model cannot be used: %s", error)
                raise
        return _loaded[choice]


def _read(choice: _Choice) -> Recognizer:
    if choice.path is None:
        from emostore.engine.baseline import BaselineRecognizer

        return BaselineRecognizer.load()
    if choice.reference:
        from emostore.engine.reference import FunasrRecognizer

        return FunasrRecognizer.load(choice.path, threads=choice.threads)
    from emostore.engine.emotion2vec import Emotion2vecRecognizer

    return Emotion2vecRecognizer.load(
        choice.path, threads=choice.threads, precision=choice.precision, cache_dir=choice.cache_dir
    )


def _list_baseline() -> ModelListing:
    try:
        info = _load(_Choice()).info
    except ModelError as error:
        return ModelListing(BASELINE, None, False, error, UNKNOWN_LICENCE, ())
    return ModelListing(BASELINE, None, True, None, info.licence, info.classes)


def _list_large(settings: Settings) -> ModelListing:
    found, incomplete = places.find(settings.data_dir)
    if found:
        return _list_folder(LARGE, found, settings)
    where = incomplete[0] if incomplete else None
    return ModelListing(LARGE, where, False, _not_in_cache(settings, incomplete), LICENCES[LARGE], EMOTIONS)


def _list_folder(name: str, path: Path, settings: Settings) -> ModelListing:
    try:
        checkpoint: Checkpoint = describe(_existing(name) if name not in NAMES else path)
    except ModelError as error:
        return ModelListing(name, path, False, error, LICENCES.get(name, UNKNOWN_LICENCE), ())
    with _lock:  # known where it was tried and found damaged inside
        problem = _failed.get(_checkpoint_choice(path, settings))
    return ModelListing(name, path, problem is None, problem, checkpoint.licence, checkpoint.classes)
