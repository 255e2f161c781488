"""Thumbnails of the gallery docs/figures.md, from the very commands that it lists.

    python scripts/thumbnails.py FOLDER [NAME ...]

carries out the command of each row (all of them: an hour), with the options of its last column, and
keeps the result as FOLDER/NAME.h5 (the picture of a script as FOLDER/NAME/*.png); what is there
already is only drawn.  With names, only those rows.  Pictures go to docs/thumbnails/NAME.png.
"""

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from PIL import Image

import tnspin as ts
from tnspin.figures import figure
from tnspin.figures.common import STYLE

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH, LARGEST = 320, 30_000


def rows() -> Iterator[tuple[str, str]]:
    """(name, command) of each row of the gallery; the command with the options of the thumbnail."""
    for line in (DOCS / "figures.md").read_text(encoding="utf-8").splitlines():
        image = re.search(r"thumbnails/([\w-]+)\.png", line)
        if image:
            codes = re.findall(r"`([^`]+)`", line[image.end() :])
            yield image[1], " ".join(codes)


def picture(name: str, command: str, folder: Path) -> Image.Image:
    """Carry out a command if its result is not there yet, and draw the result."""
    words = shlex.split(command)
    if words[0] == "python":
        found = folder / name
        if not any(found.glob("*.png")):
            words = [str(found) if word == "FOLDER" else word for word in words[1:]]
            subprocess.run([sys.executable, *words], check=True, cwd=DOCS.parent)
        return Image.open(min(found.glob("*.png")))
    path = folder / f"{name}.h5"
    if not path.exists():
        # The last -o counts: rows that name their file are kept under the name of the row.
        subprocess.run([sys.executable, "-m", *words, "-o", str(path), "--quiet"], check=True)
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure(ts.load(path)).savefig(buffer, format="png", dpi=100)
    return Image.open(buffer)


def thumbnail(large: Image.Image) -> bytes:
    """A small PNG with few colours."""
    height = round(large.height * WIDTH / large.width)
    small = large.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    for colours in (128, 96, 64, 40, 24, 16):
        buffer = io.BytesIO()
        small.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            buffer, "PNG", optimize=True
        )
        if buffer.tell() <= LARGEST:
            break
    return buffer.getvalue()


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (DOCS / "thumbnails").mkdir(exist_ok=True)
    for name, command in rows():
        if not names or name in names:
            data = thumbnail(picture(name, command, folder))
            (DOCS / "thumbnails" / f"{name}.png").write_bytes(data)
            print(f"{name}.png: {len(data) / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
