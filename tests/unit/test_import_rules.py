"""The rooms and what may be imported from where (the table in ARCHITECTURE.md, as code)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEAVES = {"errors", "emotions", "i18n"}  # sentences and the nine names: every room may use them

# room → what of this project it may import beside the leaves, and which libraries it must not
RULES: dict[str, tuple[set[str], set[str]]] = {
    "Home.py": ({"ui", "access"}, {"sqlalchemy", "torch", "funasr", "numpy"}),
    "pages": (
        {"ui", "services", "store.reports", "charts", "analytics", "access"},
        {"sqlalchemy", "torch", "funasr", "numpy"},
    ),
    "emostore/ui": (
        {"ui", "services", "store", "charts", "analytics", "access", "config", "engine"},
        {"torch", "funasr", "sqlalchemy"},
    ),
    "emostore/__main__.py": (
        {"commands", "services", "store", "config", "engine", "access"},
        {"torch", "funasr", "streamlit"},
    ),
    "emostore/commands": (
        {"commands", "services", "store", "config", "engine", "access"},
        {"torch", "funasr", "streamlit"},
    ),
    "emostore/api.py": ({"services", "store", "config", "access"}, {"torch", "funasr", "sqlalchemy"}),
    "emostore/services/report": (
        {"services", "engine", "store", "analytics", "charts", "config", "access"},
        {"streamlit", "torch", "funasr", "sqlalchemy"},
    ),
    "emostore/services": (
        {"services", "engine", "store", "audio", "speech", "analytics", "config", "access"},
        {"streamlit", "torch", "funasr"},
    ),
    "emostore/engine": ({"engine", "audio", "config"}, {"streamlit", "sqlalchemy"}),
    "emostore/training": ({"training", "engine", "audio"}, {"streamlit", "sqlalchemy"}),
    "emostore/store": ({"store"}, {"streamlit", "torch", "funasr", "sklearn"}),
    "migrations": ({"store"}, {"streamlit", "torch", "funasr", "sklearn"}),
    "emostore/audio": ({"audio"}, {"streamlit", "sqlalchemy", "funasr"}),
    "emostore/speech.py": (set(), {"streamlit", "sqlalchemy", "funasr"}),
    "emostore/charts": ({"charts"}, {"streamlit", "sqlalchemy", "torch", "funasr"}),
    "emostore/analytics": ({"analytics"}, {"streamlit", "sqlalchemy", "torch", "funasr", "av"}),
    "emostore/assets": (set(), {"streamlit", "sqlalchemy", "torch", "funasr"}),
    "emostore/config.py": (set(), {"streamlit", "sqlalchemy", "torch", "funasr"}),
    "emostore/access.py": ({"config"}, {"streamlit", "sqlalchemy", "torch", "funasr"}),
    "emostore/errors.py": (set(), {"streamlit", "sqlalchemy", "torch", "funasr", "numpy"}),
    "emostore/emotions.py": (set(), {"streamlit", "sqlalchemy", "torch", "funasr"}),
    "emostore/i18n.py": (set(), {"streamlit", "sqlalchemy", "torch", "funasr"}),
}


def imported(path: Path) -> set[str]:
    """Every module named by an import of the file, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    relative = path.relative_to(ROOT).as_posix()
    rooms = [room for room in RULES if relative == room or relative.startswith(room + "/")]
    assert rooms, f"{relative} stands in no room; name it in RULES and in ARCHITECTURE.md"
    return rooms[0]


def sources() -> list[Path]:
    parts = [ROOT / "emostore", ROOT / "pages", ROOT / "migrations"]
    files = [ROOT / "Home.py", *(path for part in parts for path in sorted(part.rglob("*.py")))]
    return [path for path in files if path != ROOT / "emostore/__init__.py"]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    allowed, forbidden = RULES[room_of(path)]
    for name in imported(path):
        top = name.split(".")[0]
        assert top not in forbidden, f"{path.name} imports {name}"
        if top == "emostore" and name != "emostore.__version__":
            inside = name.removeprefix("emostore.")
            assert any(inside == room or inside.startswith(room + ".") for room in allowed | LEAVES), (
                f"{path.name} imports {name}"
            )


def test_what_no_page_needs_is_not_imported_with_the_package() -> None:
    code = (
        "import sys, emostore.ui.bootstrap, emostore.ui.scores, emostore.services.analysis, emostore.__main__;"
        "print([name for name in ('torch', 'funasr', 'sklearn', 'silero_vad') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
