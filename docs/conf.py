"""Sphinx settings: MyST pages, Furo, nothing loaded from elsewhere."""

import re
from pathlib import Path

_version_file = (Path(__file__).parents[1] / "quarry" / "version.py").read_text()

project = "Quarry"
author = "The Quarry contributors"
copyright = "The Quarry contributors, Apache-2.0"
release = re.search(r'__version__ = "(.+)"', _version_file)[1]
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]  # DuckDB speaks more SQL than the highlighter knows

html_theme = "furo"
html_title = f"Quarry {release}"
html_copy_source = False
html_show_sphinx = False
