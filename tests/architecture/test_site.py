"""The documentation site builds without network, and every link and reference in it leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(out / "doctrees"), str(ROOT / "docs"), str(out / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.mark.slow
def test_every_page_of_docs_is_on_the_site(site: Path) -> None:
    missing = [page.stem for page in (ROOT / "docs").glob("*.md") if not (site / f"{page.stem}.html").exists()]
    assert not missing


@pytest.mark.slow
def test_every_page_is_reached_from_the_contents(site: Path) -> None:
    contents = (site / "index.html").read_text()
    pages = {page.relative_to(site).as_posix() for page in site.rglob("*.html")} - {
        "index.html",
        "genindex.html",
        "search.html",
        "py-modindex.html",
    }
    assert pages
    assert not {page for page in pages if f'href="{page}"' not in contents}


@pytest.mark.slow
def test_no_page_asks_another_host_for_anything(site: Path) -> None:
    outside = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//", re.IGNORECASE)
    assert not [page.name for page in site.rglob("*.html") if outside.search(page.read_text())]
