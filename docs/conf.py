"""Settings of the documentation site: Sphinx reads the Markdown pages of this folder.  Build it with `bash scripts/docs`."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "generators"))

import reference

project = "Tianji"
author = "The Tianji authors"
release = version = metadata.version("tianji")
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["generators", "_build"]

html_theme = "furo"
html_title = f"Tianji {release}"
html_copy_source = False

myst_heading_anchors = 4  # links such as page.md#section work here as they do in a repository browser
myst_links_external_new_tab = False
suppress_warnings = [
    "myst.header",  # pages that begin below a first heading are meant
    "misc.highlighting_failure",  # a CSV file is shown without colours
]

autodoc_typehints = "description"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

reference.write_pages(Path(__file__).parent / "reference")
