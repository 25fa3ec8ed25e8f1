"""Every error a user can meet. Each says what was found, what is allowed and what to do."""

from __future__ import annotations

from typing import Any


class EmostoreError(Exception):
    """A named error with a sentence for the user.

    `message` is an English sentence with named fields; it is also the key of its translation, so the
    values are kept apart in `params` and `str(error)` fills them in. Babel extracts the sentences from
    the calls themselves (see `[tool.emostore.babel]` keywords in the Makefile).
    """

    def __init__(self, message: str, **params: Any) -> None:
        super().__init__(message)
        self.message = message
        self.params = params

    def __str__(self) -> str:
        return self.message.format(**self.params)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would drop `params`, and errors cross process boundaries.
        return (_rebuild, (type(self), self.message, self.params))


def _rebuild(kind: type[EmostoreError], message: str, params: dict[str, Any]) -> EmostoreError:
    return kind(message, **params)


class AudioError(EmostoreError):
    """A file or waveform that cannot be decoded, or that is over a limit."""


class ModelError(EmostoreError):
    """A model that is missing, damaged or not what it says it is."""


class ModelBusyError(ModelError):
    """So much waits for the model that a request was not taken; it says when to come again."""


class UnansweredError(ModelError):
    """A request that was cancelled, or whose queue was closed, before the model answered it."""


class ScoresError(EmostoreError, ValueError):
    """Numbers that are not a distribution over the nine emotions."""


class StoreError(EmostoreError):
    """A database that cannot be reached, is locked or holds something else."""


class MetadataError(EmostoreError):
    """A description of a recording that contradicts itself or what is stored."""


class SettingsError(EmostoreError):
    """A setting with a value that is not allowed."""


class AccessError(EmostoreError):
    """An action that the current user may not do."""
