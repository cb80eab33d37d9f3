"""Every page in a real browser: nothing is asked of a network, nothing overflows or is cut off, dark and print work."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tianji.cli import main

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER and DRIVER), reason="needs chromium and chromedriver (Debian: apt install chromium-driver)"
    ),
]
COMMANDS = {
    "plan": "plan deepseek-v3 cloudmatrix384 --tokens 14.8T --batch 4096",
    "deep": "plan llama-3.1-405b hgx-h100 --chips 512 --fix pp=64",
    "mixture": "plan llama-3.1-8b a100-h100",
    "predict": "predict llama-3.1-70b hgx-h100 --chips 64 --tp 8 --pp 2 --tokens 1T",
    "goodput": "goodput llama-3.1-405b hgx-h100 --chips 16384 --tp 8 --pp 16 --zero 2 --price '2 USD'",
    "compare": "compare llama-3.1-70b 512xhgx-h100 384xcloudmatrix384 512xatlas-950-superpod --tokens 15T",
    "replace": "replace llama-3.1-70b --from 256xhgx-h100 --with cloudmatrix384 --points 6",
    "size": "size llama-3.1-70b hgx-h100 --tokens 15T --days 90",
    "validate": "validate --split check --quality A",
}
LAPTOP, PHONE = (1366, 768, False), (390, 844, True)
CHARTS = """
return [...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0).map(svg => {
  const box = svg.getBoundingClientRect();
  const cut = [...svg.querySelectorAll('text')].filter(text => {
    const t = text.getBoundingClientRect();
    return t.left < box.left - 2 || t.right > box.right + 2 || t.top < box.top - 2 || t.bottom > box.bottom + 2;
  }).map(text => text.firstChild.data);
  const size = Math.min(...[...svg.querySelectorAll('text')].map(
    text => parseFloat(getComputedStyle(text).fontSize) * box.width / svg.viewBox.baseVal.width));
  return {label: svg.querySelector('title')?.textContent || svg.getAttribute('aria-label'), width: box.width,
    height: box.height, right: box.right, cut, size};
});
"""


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    flags = "headless=new no-sandbox disable-gpu no-first-run disable-background-networking disable-component-update disable-sync"
    for flag in (*flags.split(), "host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, words in COMMANDS.items():
        done = CliRunner().invoke(main, [*shlex.split(words), "--html", str(folder / f"{name}.html"), "--json"])
        assert done.exit_code == 0, f"{name}: {done.stderr}"
    return {name: folder / f"{name}.html" for name in COMMANDS}


def open_page(
    driver: Any, page: Path, size: tuple[int, int, bool], scheme: str = "light", medium: str = "screen"
) -> None:
    width, height, mobile = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": [feature]})
    driver.get(page.as_uri())


def requests(driver: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_asks_nobody_and_complains_of_nothing(name: str, driver: Any, pages: dict[str, Path]) -> None:
    requests(driver)
    driver.get_log("browser")
    open_page(driver, pages[name], LAPTOP)
    assert set(requests(driver)) == {pages[name].as_uri()}
    assert driver.get_log("browser") == []


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_overflows_and_no_label_is_cut_off(
    name: str, size: tuple[int, int, bool], driver: Any, pages: dict[str, Path]
) -> None:
    open_page(driver, pages[name], size)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
    charts = driver.execute_script(CHARTS)
    assert charts
    assert len(charts) == driver.execute_script("return document.querySelectorAll('figure').length")
    for chart in charts:
        assert chart["width"] > 200, chart
        assert chart["height"] > 60, chart
        assert chart["right"] <= size[0], chart
        assert not chart["cut"], chart
        assert chart["size"] >= 10, chart


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_is_light_and_dark_as_the_system_is(name: str, driver: Any, pages: dict[str, Path]) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        open_page(driver, pages[name], LAPTOP, scheme)
        script = """
        const of = (element, what) => getComputedStyle(element)[what].match(/\\d+/g).slice(0, 3).map(Number);
        const text = [...document.querySelectorAll('svg text')].find(t => t.getBoundingClientRect().width > 0);
        return [of(document.body, 'backgroundColor'), of(document.body, 'color'), of(text, 'fill')];
        """
        colours[scheme] = [sum(rgb) / 3 for rgb in driver.execute_script(script)]
    ground, ink, chart = colours["light"]
    assert ground - ink > 150
    assert ground - chart > 100
    ground, ink, chart = colours["dark"]
    assert ink - ground > 150
    assert chart - ground > 100


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("name", COMMANDS)
def test_tables_are_whole(name: str, size: tuple[int, int, bool], driver: Any, pages: dict[str, Path]) -> None:
    open_page(driver, pages[name], size)
    script = """return [...document.querySelectorAll('.scroll')].filter(t => t.scrollWidth > t.clientWidth + 1)
      .map(t => t.getAttribute('aria-label'));"""
    assert driver.execute_script(script) == []


def test_paper_gets_whole_tables_in_dark_letters(driver: Any, pages: dict[str, Path]) -> None:
    open_page(driver, pages["plan"], (794, 1123, False), "dark", "print")
    script = """
    return [getComputedStyle(document.querySelector('nav')).display, getComputedStyle(document.body).backgroundColor,
      [...document.querySelectorAll('.scroll')].filter(t => t.scrollHeight > t.clientHeight + 1).length];
    """
    assert driver.execute_script(script) == ["none", "rgb(255, 255, 255)", 0]
