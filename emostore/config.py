"""Settings, read from `EMOSTORE_*` environment variables."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from emostore.errors import SettingsError

GIB = 1024**3

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone such as UTC or Asia/Shanghai") from error
    return name


def _web_address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("it has to begin with https:// or http://")
    return url.rstrip("/")


class Settings(BaseSettings):
    """All settings. The README's table is made from the descriptions below."""

    model_config = SettingsConfigDict(env_prefix="EMOSTORE_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("data"), description="Folder of the database, the kept audio and the caches.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of a PostgreSQL database; without it, SQLite in the data folder."
    )
    model: str = Field(
        "auto",
        description="`auto`, `baseline`, `emotion2vec_plus_large`, or the path of a checkpoint folder; `funasr`, or "
        "`funasr:` before a path, runs FunASR's own code, slowly, to compare with.",
    )
    modelscope_url: Annotated[str, AfterValidator(_web_address)] = Field(
        "https://modelscope.cn", description="Where ModelScope, or a mirror of it, answers when a model is downloaded."
    )
    huggingface_url: Annotated[str, AfterValidator(_web_address)] = Field(
        "https://huggingface.co", description="The same for Hugging Face."
    )
    language: Literal["auto", "en", "zh"] = Field(
        "auto", description="Language of the interface; `auto` follows the browser."
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Reporting time zone: days begin and times are shown in it."
    )
    user_name: str = Field(
        "local", min_length=1, max_length=200, description="Who works here, as the record of changes names them."
    )
    keep_audio: Literal["original", "opus", "none"] = Field(
        "original", description="What is kept of a recording's sound: `original`, an `opus` copy, or `none`."
    )
    max_file_bytes: int = Field(2 * GIB, gt=0, description="Largest file that is accepted, in bytes.")
    max_duration_s: float = Field(4 * 3600, gt=0, description="Longest recording that is accepted, in seconds.")
    max_channels: int = Field(8, gt=0, description="Most channels a recording may have.")
    threads: int | None = Field(None, gt=0, description="CPU threads of the model; the physical cores by default.")
    precision: Precision = Field(
        "auto",
        description="Numbers that Emotion2Vec+ computes with: `float32`, `bfloat16`, `float16` (on graphics cards), or "
        "`auto` for what is fastest on this machine at scores within 0.01.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")

    @property
    def cache_dir(self) -> Path:
        """The folder of what can be made again at any time."""
        return self.data_dir / "cache"

    @property
    def resolved_database_url(self) -> str:
        """The database that is used: `database_url`, else SQLite in the data folder."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'emostore.db').resolve()}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. Raises `SettingsError` naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            "EMOSTORE_{name} is set to {value}: {problem}.",
            name="_".join(str(part) for part in first["loc"]).upper(),
            value=repr(first["input"]),
            problem=first["msg"],
        ) from error


def settings_table() -> str:
    """All settings as the Markdown table that stands in the README."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, info in Settings.model_fields.items():
        default = "" if info.default is None else f"`{info.default}`"
        rows.append(f"| `EMOSTORE_{name.upper()}` | {default} | {info.description} |")
    return "\n".join(rows)
