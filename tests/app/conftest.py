"""Pages run in this process, on a data folder of their own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from emostore.config import settings
from emostore.errors import EmostoreError
from emostore.store.session import Store, create_store
from emostore.ui import bootstrap

HOME = str(Path(__file__).resolve().parents[2] / "Home.py")


@pytest.fixture(scope="session", autouse=True)
def _components_found_once() -> Iterator[None]:
    """For every AppTest Streamlit looks for components in all installed packages, which do not change meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("EMOSTORE_MODEL", "baseline")
    monkeypatch.setenv("EMOSTORE_LANGUAGE", "en")
    settings.cache_clear()
    st.cache_resource.clear()
    yield tmp_path
    with contextlib.suppress(EmostoreError):  # a test may have broken the database
        bootstrap.start_worker().stop()  # it holds this test's store
    settings.cache_clear()
    st.cache_resource.clear()


@pytest.fixture
def store(data_dir: Path, sqlite_template: Path) -> Store:
    shutil.copyfile(sqlite_template, data_dir / sqlite_template.name)
    return create_store(settings().resolved_database_url)


@pytest.fixture
def app(data_dir: Path) -> AppTest:
    return AppTest.from_file(HOME, default_timeout=60)


def text(app: AppTest) -> str:
    """Every word of the page outside its widgets, a line each."""
    parts = [*app.title, *app.header, *app.subheader, *app.markdown, *app.caption, *app.warning, *app.info, *app.error]
    return "\n".join(str(part.value) for part in parts)
