"""The app as one ASGI application: Streamlit's pages, and beside them the routes for what is no page.

`python -m emostore.api` serves it (that is what `make run` does) with the settings of `.streamlit/config.toml`;
so does any ASGI server that is given `emostore.api:app`.
"""

from __future__ import annotations

import argparse
import gc
import logging
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from emostore import access
from emostore.config import Settings, settings
from emostore.errors import AccessError, EmostoreError, StoreError
from emostore.services import groups, preferences
from emostore.services.exports import exporting
from emostore.services.sound import playback
from emostore.services.sound.peaks import Peaks
from emostore.services.views import history_address
from emostore.store.session import Store, create_store

log = logging.getLogger(__name__)
_Found = TypeVar("_Found", playback.Sound, Peaks)

HOME = Path(__file__).resolve().parents[1] / "Home.py"
_HEAVY = ("pandas", "pyarrow", "altair", "babel.dates", "emostore.ui.shell", "streamlit.emojis")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEADERS = {
    "Cache-Control": "private, no-cache",  # kept by nobody between, and asked for again: rights may change
    "Cross-Origin-Resource-Policy": "same-origin",  # a voice is played by our own pages only
    "X-Content-Type-Options": "nosniff",
}


def audio(request: Request) -> Response:
    """The sound of a recording, whole or the range of it that is asked for; 404 where none was kept."""
    found = _of_recording(request, playback.of_recording)
    if isinstance(found, Response):
        return found
    return FileResponse(found.path, media_type=found.mime_type, headers=_HEADERS)


def outline(request: Request) -> Response:
    """The peaks of a recording as `playback.PEAKS_ROUTE` lays them out; 404 where no sound was kept."""
    found = _of_recording(request, playback.outline_of_recording)
    if isinstance(found, Response):
        return found
    return Response(found.levels.tobytes(), media_type="application/octet-stream", headers=_HEADERS)


def _of_recording(request: Request, read: Callable[[Store, str, Settings], _Found | None]) -> _Found | Response:
    """What `read` finds of the recording that the address names, else the answer that says why there is nothing."""
    sha256 = request.path_params["sha256"]
    if not _SHA256.fullmatch(sha256):  # no name by a stranger becomes a path
        return PlainTextResponse("There is no such recording.", 404)
    store = _store()
    try:
        found = read(store, sha256, preferences.effective(store, settings()))
    except AccessError as error:
        return PlainTextResponse(str(error), 403)
    except StoreError as error:
        return PlainTextResponse(str(error), 503)
    except EmostoreError as error:
        return PlainTextResponse(str(error), 422)
    return PlainTextResponse("There is no such recording.", 404) if found is None else found


def export_file(request: Request) -> Response:
    """What fits the filters of the address, as a file that is made while it is sent."""
    what = next((each for each in exporting.WHATS if each == request.path_params["what"]), None)
    if what is None:
        return PlainTextResponse(f"There are exports of {', '.join(exporting.WHATS)}.", 404)
    kind = next((each for each in exporting.OFFERED[what] if each == request.path_params["kind"]), None)
    if kind is None:
        return PlainTextResponse(f"The {what} are exported as {', '.join(exporting.OFFERED[what])}.", 404)
    store = _store()
    try:
        access.require("read")
        zone = preferences.effective(store, settings()).time_zone
        today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
        asked = history_address.read(request.query_params, today, zone, partial(groups.named, store))
    except AccessError as error:
        return PlainTextResponse(str(error), 403)
    except StoreError as error:
        return PlainTextResponse(str(error), 503)
    if asked.left_out or asked.inverted:  # a page says what it left out; a file could not
        parts = ", ".join(f"{name}={value}" for name, value in asked.left_out) or "days"
        return PlainTextResponse(f"This part of the address stands for nothing: {parts}", 422)
    try:
        pieces = exporting.export(store, asked.wanted, what, kind)
    except EmostoreError as error:
        return PlainTextResponse(str(error), 422)
    name = exporting.file_name(what, kind, today)
    return StreamingResponse(
        pieces,
        media_type=exporting.MIME_TYPES[kind],
        headers=_HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'},
    )


@lru_cache(maxsize=1)
def _store() -> Store:
    return create_store(settings().resolved_database_url)


def _warm_up() -> None:
    """Import what every page needs while the first reader still finds the way here: it takes seconds."""
    for name in _HEAVY:
        import_module(name)
    # The first chart of a process takes five times as long as the next ones: Altair finds its way through its schema.
    altair = import_module("altair")
    altair.Chart(altair.Data(values=[])).mark_bar().encode(x="x:Q").to_dict()
    # What is imported stays; looking through it would make some answers wait 150 ms for a collection of garbage.
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    served = (playback.ROUTE_IS_SERVED, exporting.ROUTE_IS_SERVED)
    for event in served:
        event.set()
    threading.Thread(target=_warm_up, name="emostore-warm-up", daemon=True).start()
    try:
        yield
    finally:
        for event in served:
            event.clear()


ROUTES = [Route(playback.ROUTE, audio), Route(playback.PEAKS_ROUTE, outline), Route(exporting.ROUTE, export_file)]
app = st.App(HOME, routes=ROUTES, lifespan=_lifespan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m emostore.api", description=__doc__)
    parser.add_argument("--port", type=int, help="where to listen instead of at the port of .streamlit/config.toml")
    port = parser.parse_args().port
    sys.argv = [str(HOME)]  # Streamlit puts the folder of what was started in front of every import: not this one
    app.run(config={"server.port": port} if port else None)
