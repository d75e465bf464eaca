"""The browser of the live tests, which are skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.engine.live import LiveEngine
from kelly_live.lab.bench import browser
from kelly_live.lab.bench.playing import find_page_link
from tests.live.conftest import unavailable, wait_for

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


@contextmanager
def open_browser(width: int, height: int, *, scheme: str = "dark") -> Iterator[Chrome]:
    """Open a browser with a window of so many pixels that prefers this colour scheme."""
    try:
        browser.find_browser()
    except ConfigError as error:
        unavailable(str(error))
    with browser.open_browser(width, height, scheme=scheme) as opened:
        yield opened


@contextmanager
def open_page(engine: LiveEngine, width: int = 1024, height: int = 900, *, scheme: str = "dark") -> Iterator[Chrome]:
    """Open the page of a session, to steer it, and wait until it is connected."""
    with open_browser(width, height, scheme=scheme) as opened:
        opened.get(find_page_link(engine))
        wait_for(lambda: get_text(opened, "connection") == "connected", "the connection", 30.0)
        yield opened


def find(browser: Chrome, name: str) -> WebElement:
    """Find the element with this id."""
    return browser.find_element("id", name)


def get_text(browser: Chrome, name: str) -> str:
    """Return all text of the element with this id, shown or not."""
    return str(find(browser, name).get_property("textContent"))
