"""Sphinx configuration: `make docs` builds the pages into docs/_build/html."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

from tnspin.version import __version__  # noqa: E402

project = "tnspin"
author = "the tnspin developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "from_source",
]
exclude_patterns = ["_build", "_ext"]

html_theme = "furo"
html_title = f"tnspin {__version__}"
html_copy_source = False

myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

# What a package takes over from its modules is documented in the modules.
autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_mock_imports = ["dask", "dask_jobqueue", "distributed"]
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "py:obj"
# `evolve` is the name of one function in each solver: such a reference has many targets.
suppress_warnings = ["ref.python"]
toc_object_entries = False
