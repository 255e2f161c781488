"""Every published figure of the README's tables, from the very commands that stand there.

    python scripts/figures.py FOLDER [NAME ...]

carries out the command of each row (all of them: two hours of CPU time) and leaves
NAME.h5, NAME.png and NAME.pdf in FOLDER; runs that are there already are only drawn.  Then it
renews, in the README, the thumbnail of each row (docs/thumbnails/NAME.png) and its last column: the
numbers that scripts/claims.py finds in the result.  With names, only those rows.
"""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from claims import FOUND
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
THUMBNAILS = ROOT / "docs" / "thumbnails"
WIDTH = 320
_PICTURE = re.compile(r"!\[\]\(docs/thumbnails/([\w-]+)\.png\)")


@dataclass(frozen=True)
class Row:
    """One row of the README's tables: figure | picture | command | printed | found."""

    name: str
    command: str

    @classmethod
    def of(cls, line: str) -> "Row | None":
        """The row that a line is, if it has a thumbnail."""
        picture = _PICTURE.search(line)
        if picture is None:
            return None
        command = re.search(r"`([^`]+)`", line[picture.end() :])
        return cls(picture[1], command[1]) if command else None


def rows() -> Iterator[Row]:
    """All of them."""
    for line in README.read_text(encoding="utf-8").splitlines():
        row = Row.of(line)
        if row is not None:
            yield row


def carry_out(row: Row, folder: Path) -> Path:
    """Run the command of a row unless its result is there; return what is to be drawn."""
    words = shlex.split(row.command)
    if words[0] == "python":
        found = folder / row.name
        if not any(found.glob("*.png")):
            words = [str(found) if word == "FOLDER" else word for word in words[1:]]
            subprocess.run([sys.executable, *words], check=True, cwd=ROOT)
        return min(found.glob("*.png"))
    swept = words[1] == "sweep"
    output = folder / (row.name if swept else f"{row.name}.h5")
    result = output / "sweep.nc" if swept else output
    if not result.exists():
        # The last -o counts: rows that name their file are kept under the name of the row.
        command = [sys.executable, "-m", *words, "-o", str(output), "--quiet"]
        subprocess.run(command, check=True)
    return result


def draw(result: Path, folder: Path, name: str) -> Path:
    """The figure of a result as NAME.pdf and NAME.png; the latter is returned."""
    if result.suffix == ".png":
        return result
    picture = folder / f"{name}.png"
    for path in (picture.with_suffix(".pdf"), picture):
        subprocess.run(
            [sys.executable, "-m", "tnspin", "plot", str(result), "-o", str(path)], check=True
        )
    return picture


def thumbnail(path: Path) -> bytes:
    """A small PNG with few colours; an octree keeps greys grey."""
    large = Image.open(path)
    height = round(large.height * WIDTH / large.width)
    small = large.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    few = small.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def renewed(text: str, found: dict[str, str]) -> str:
    """The README with new last columns."""
    lines = text.splitlines()
    for k, line in enumerate(lines):
        row = Row.of(line)
        if row is not None and row.name in found:
            cells = line.strip().strip("|").split(" | ")
            lines[k] = "| " + " | ".join([*(c.strip() for c in cells[:4]), found[row.name]]) + " |"
    return "\n".join(lines) + "\n"


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for row in rows():
        if names and row.name not in names:
            continue
        started = time.monotonic()
        result = carry_out(row, folder)
        (THUMBNAILS / f"{row.name}.png").write_bytes(thumbnail(draw(result, folder, row.name)))
        if row.name in FOUND:
            found[row.name] = FOUND[row.name](folder)
        print(f"{row.name} ({time.monotonic() - started:.0f} s): {found.get(row.name)}", flush=True)
    README.write_text(renewed(README.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
