"""A real browser without a screen: Debian's chromium, driven by selenium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.live.conftest import need_program, unavailable

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# As root in a container, and asking nothing of the network.
_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def open_browser(width: int, height: int, *, scheme: str = "dark") -> Iterator[Chrome]:
    """Open a browser with a window of so many pixels that prefers this colour scheme."""
    pytest.importorskip("selenium", exc_type=ImportError)
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    driver = need_program("chromedriver", "chromium-driver")
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or unavailable("chromium is not installed; apt install chromium")
    for argument in (*_ARGUMENTS, f"--window-size={width},{height}"):
        options.add_argument(argument)
    browser = Chrome(options=options, service=Service(driver))
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        yield browser
    finally:
        browser.quit()
