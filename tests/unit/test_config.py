"""Settings come from the environment, are checked, and stand in the README as they are."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from emostore import config
from emostore.config import GIB, Settings, settings
from emostore.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EMOSTORE_{name.upper()}", raising=False)
    settings.cache_clear()


def test_without_an_environment_the_database_lies_in_the_data_folder() -> None:
    assert settings().resolved_database_url == f"sqlite:///{Path('data/emostore.db').resolve()}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIME_ZONE", "Mars/Olympus"), ("LANGUAGE", "fr"), ("MAX_CHANNELS", "0"), ("MAX_DURATION_S", "long")],
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"EMOSTORE_{name}", value)
    with pytest.raises(SettingsError, match=f"EMOSTORE_{name} is set to '{value}'"):
        settings()


def test_settings_cannot_be_changed_behind_anybodys_back() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().model = "other"  # type: ignore[misc]


def test_the_upload_limit_of_the_server_is_the_limit_of_the_decoder() -> None:
    server = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]
    # The browser's part of Streamlit counts in steps of 10^6 bytes and must not refuse what we take.
    assert (
        (server["maxUploadSize"] - 1) * 10**6 < Settings().max_file_bytes == 2 * GIB <= server["maxUploadSize"] * 10**6
    )


def test_the_readme_lists_every_setting() -> None:
    assert config.settings_table() in (ROOT / "README.md").read_text()


def test_every_line_of_the_server_settings_has_its_reason() -> None:
    lines = (ROOT / ".streamlit/config.toml").read_text().splitlines()
    assert [line for line in lines if "=" in line.split("#")[0] and "#" not in line.split("=", 1)[1]] == []
