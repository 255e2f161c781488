"""Pages of the API, written to ``docs/_generated`` at every build, from docstrings as they are.

The reference of keys is a committed page: ``tnspin keys --markdown > docs/config.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import api_pages

GENERATED = Path(__file__).resolve().parents[1] / "_generated"


def write_pages(_app: Any = None) -> None:
    """Write every generated page; files that would not change are left alone."""
    pages = api_pages.pages()
    for name, text in pages.items():
        path = GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in GENERATED.rglob("*.*"):
        if path.relative_to(GENERATED).as_posix() not in pages:
            path.unlink()  # of a room that is gone


def to_rst(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings as they are written, for people who read the source, become reStructuredText.

    Indented text below a paragraph, a diagram or a formula, is kept as it is; the bars of |psi>
    and |S - n| are bars, not substitutions.
    """
    lines[:] = _escaped(_with_literal_blocks(lines))


def _with_literal_blocks(lines: list[str]) -> list[str]:
    """Put `::` before every indented block that follows a paragraph."""
    found: list[str] = []
    opened: int | None = None  # indentation of what an indented block belongs to already
    for k, line in enumerate(lines):
        indent = _indent(line)
        if opened is not None and line.strip() and indent <= opened:
            opened = None
        below = lines[k + 2] if k + 2 < len(lines) and not lines[k + 1].strip() else ""
        quoted = below.strip() and _indent(below) >= indent + 4
        found.append(line)
        if opened is None and line.strip():
            if _opens(line):
                opened = indent
            elif quoted:
                found += ["", " " * indent + "::"]
                opened = indent
    return found


def _escaped(lines: list[str]) -> Iterator[str]:
    """Escape bars outside literals and formulas."""
    opened: int | None = None
    for line in lines:
        if opened is not None and line.strip() and _indent(line) <= opened:
            opened = None
        if opened is None and (
            line.lstrip().startswith(".. math::") or line.rstrip().endswith("::")
        ):
            opened = _indent(line)
        if opened is None:
            parts = re.split(r"(``.*?``|:math:`[^`]*`)", line)
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            line = "".join(parts)
        yield line


def _opens(line: str) -> bool:
    """Whether an indented block below this line is its own: of a directive, field or list item."""
    return line.rstrip().endswith("::") or bool(re.match(r"\s*(\.\. |:\w|[-*] |\d+\. )", line))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def setup(app: Any) -> dict[str, bool]:
    """Connect both to the build."""
    app.connect("builder-inited", write_pages)
    # After napoleon, which must see the docstrings as they are.
    app.connect("autodoc-process-docstring", to_rst, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
