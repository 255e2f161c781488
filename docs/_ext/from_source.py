"""What the pages take from the source: keys, observables, presets and the API, at every build.

Written to ``docs/_generated``, so that no table of the documentation can go stale.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import api_pages
import config_tables

GENERATED = Path(__file__).resolve().parents[1] / "_generated"


def write_pages(_app: Any = None) -> None:
    """Write every generated page; files that would not change are left alone."""
    pages = {
        "config.md": config_tables.config_keys(),
        "observables.md": config_tables.observables(),
        "presets.md": config_tables.preset_list(),
        **api_pages.pages(),
    }
    for name, text in pages.items():
        path = GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def escape_bars(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Escape the bars of |psi> and |S - n|, which reStructuredText takes for substitutions.

    Not in literals and formulas, where a bar is a bar.
    """
    inside: int | None = None  # indentation of the directive or of the text before a literal block
    for k, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if inside is None:
            if line.lstrip().startswith(".. math::") or line.rstrip().endswith("::"):
                inside = indent
            else:
                parts = re.split(r"(``.*?``|:math:`[^`]*`)", line)
                parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
                lines[k] = "".join(parts)


def setup(app: Any) -> dict[str, bool]:
    """Connect both to the build."""
    app.connect("builder-inited", write_pages)
    # After napoleon, which must see the docstrings as they are.
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
