"""Entry of the app: `streamlit run Home.py`."""

from __future__ import annotations

from emostore.ui import shell

shell.main()
