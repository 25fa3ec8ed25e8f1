"""Entry of the app: page config, access, language and navigation."""

from __future__ import annotations

from emostore import access
from emostore.ui import bootstrap, shell

shell.configure()
shell.language_switch()
with bootstrap.friendly_errors():
    access.require("read")
    bootstrap.start_worker()
    shell.run_page()
