"""Choice of OpenBLAS kernels, made before numpy loads it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

#: First AMD family that OpenBLAS 0.3.31 does not know (Zen 5): it falls back to kernels of 2013.
_UNKNOWN_FAMILY = 26


def prefer_wide_kernels(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Ask OpenBLAS for its AVX-512 kernels on AMD processors that it does not recognize.

    On such a processor complex products of 100 x 100 blocks run 1.5 times faster.  Nothing is
    done if numpy is loaded already, if ``OPENBLAS_CORETYPE`` is set (that is also how to opt
    out), or anywhere but on Linux.  Returns whether the variable was set.
    """
    if "numpy" in sys.modules or "OPENBLAS_CORETYPE" in os.environ:
        return False
    try:
        first = cpuinfo.read_text().split("\n\n", 1)[0]
    except OSError:
        return False
    family = re.search(r"^cpu family\s*:\s*(\d+)", first, re.MULTILINE)
    if "AuthenticAMD" not in first or "avx512vl" not in first or family is None:
        return False
    if int(family[1]) < _UNKNOWN_FAMILY:
        return False
    os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    return True
