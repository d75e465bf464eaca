"""The browser of the live tests, which are skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.lab.bench import browser
from tests.live.conftest import unavailable

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@contextmanager
def open_browser(width: int, height: int, *, scheme: str = "dark") -> Iterator[Chrome]:
    """Open a browser with a window of so many pixels that prefers this colour scheme."""
    try:
        browser.find_browser()
    except ConfigError as error:
        unavailable(str(error))
    with browser.open_browser(width, height, scheme=scheme) as opened:
        yield opened
