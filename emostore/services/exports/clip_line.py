"""A clip as one JSON object: what exports write and imports read, with its raw results and all that is known of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from emostore.emotions import EMOTIONS
from emostore.services.calibration.labelling import COMMENT_LENGTH
from emostore.store.tables.models import MAX_SEGMENTS, NAME_LENGTH
from emostore.store.writing.names import clean
from emostore.store.writing.records import Domain, HappenedAtSource, NoSpeechReason, Role, Scenario

FORMAT = "emostore clip"
MOST_CHANNELS = 64
MOST_DIM = 4096  # numbers of an embedding
MOST_NOTES = 20
MOST_LABELS = 1_000  # raters of a clip

YEARS = (1900, 2199)  # of times that are stored
MOST_SECONDS = 1e7  # of a recording: 115 days


def _stored(moment: datetime) -> datetime:
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise ValueError(f"a time in the year {moment.year}, of which years from {YEARS[0]} to {YEARS[1]} are stored")
    return moment


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(max_length=NAME_LENGTH)]
Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_stored)]  # as text in JSON
Plain = Annotated[str, AfterValidator(clean)]  # as every other text that people and files give
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
Segment = Annotated[tuple[Seconds, Seconds], Field(strict=False)]  # where somebody speaks, from and to
Logit = Annotated[float, Field(ge=-1e4, le=1e4)] | None  # None: the model cannot give the class
NineLogits = Annotated[tuple[Logit, ...], Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS), strict=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Model(_Part):
    """The model revision that the scores are of."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
    revision: Annotated[Plain, Field(min_length=1, max_length=NAME_LENGTH)]
    dim: Annotated[int, Field(ge=1, le=MOST_DIM)]
    classes: Annotated[tuple[str, ...], Field(min_length=1, max_length=len(EMOTIONS), strict=False)]
    licence: Annotated[Plain, Field(max_length=1000)] = ""


class Windows(_Part):
    """Raw logits over time, whatever the scores of the clip are shown under; row i begins at `i * hop_s`."""

    hop_s: Annotated[float, Field(gt=0, le=3600)]
    length_s: Annotated[float, Field(gt=0, le=3600)]
    logits: Annotated[tuple[NineLogits, ...], Field(min_length=1, strict=False)]


class Label(_Part):
    """What a rater heard; checked as every other label when it is read."""

    rater: Name
    emotion: Annotated[str, Field(max_length=50)]
    second: Annotated[str, Field(max_length=50)] | None = None
    intensity: int | None = None
    comment: Annotated[str, Field(max_length=COMMENT_LENGTH)] | None = None
    reason: Literal["chosen", "uncertain", "disagreeing", "random", "imported"] = "imported"
    labelled_at: Moment


class Pair(_Part):
    """The recording of the other side of a call of two files; the second side begins `offset_s` after the first."""

    sha256: Sha256
    first: bool  # whether this clip is the first side
    offset_s: Annotated[float, Field(ge=-MOST_SECONDS, le=MOST_SECONDS)]


class ClipLine(_Part):
    """One channel of one recording, and what one model said of it.

    `scores` are as the app showed them, under `calibration`; `logits` are the raw results, which an import stores.
    """

    format: Literal["emostore clip"]
    version: Literal[1]
    sha256: Sha256
    file_name: Annotated[str, Field(min_length=1, max_length=1000)]
    channel: Annotated[int, Field(ge=0, lt=MOST_CHANNELS)]
    channel_count: Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
    role: Role
    agent: Name | None = None
    team: Name | None = None
    session: Name | None = None  # None: the clip's session stands for a recording
    session_key: Annotated[str, Field(max_length=1000)] | None = None  # which one it is; older lines have none
    session_name: Name | None = None  # as people see it
    pair: Pair | None = None
    happened_at: Moment
    happened_at_source: HappenedAtSource
    uploaded_at: Moment
    duration_s: Seconds
    recording_duration_s: Seconds
    speech_s: Seconds | None = None
    segments: Annotated[tuple[Segment, ...], Field(max_length=MAX_SEGMENTS, strict=False)] | None = None
    byte_count: Annotated[int, Field(ge=0, lt=2**63)]
    sample_rate: Annotated[int, Field(ge=1, le=10_000_000)]
    container: Annotated[Plain, Field(max_length=100)]
    codec: Annotated[Plain, Field(max_length=100)]
    scenario: Scenario | None = None
    domain: Domain | None = None
    language: Annotated[str, Field(max_length=50)] | None = None
    demo: bool = False
    notes: Annotated[tuple[str, ...], Field(max_length=MOST_NOTES, strict=False)] = ()
    model: Model
    calibration: Annotated[str, Field(max_length=NAME_LENGTH)] = "raw"
    analysed_at: Moment
    compute_s: Seconds | None = None
    status: Literal["analysed", "no_speech"]
    no_speech_reason: NoSpeechReason | None = None
    scores: dict[str, float] | None = None
    logits: NineLogits | None = None
    windows: Windows | None = None
    embedding: Annotated[tuple[float, ...], Field(min_length=1, max_length=MOST_DIM, strict=False)] | None = None
    labels: Annotated[tuple[Label, ...], Field(max_length=MOST_LABELS, strict=False)] = ()
