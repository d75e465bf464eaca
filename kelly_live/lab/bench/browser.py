"""A real browser without a screen: chromium, driven by selenium."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# As root in a container, and asking nothing of the network.
_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find_browser() -> tuple[str, str]:
    """Return the programs chromium and chromedriver; raises ConfigError with what to install."""
    if importlib.util.find_spec("selenium") is None:
        raise ConfigError("selenium is not installed, which drives the browser; pip install selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise ConfigError("no browser to open the page in; apt install chromium chromium-driver")
    return chromium, driver


@contextmanager
def open_browser(width: int, height: int, *, scheme: str = "dark") -> Iterator[Chrome]:
    """Open a browser whose window has so many pixels and that prefers "dark" or "light". Raises ConfigError."""
    chromium, driver = find_browser()
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = chromium
    for argument in (*_ARGUMENTS, f"--window-size={width},{height}"):
        options.add_argument(argument)
    browser = Chrome(options=options, service=Service(driver))
    try:
        set_screen(browser, width, height, scheme=scheme)
        yield browser
    finally:
        browser.quit()


def set_screen(browser: Chrome, width: int, height: int, *, scheme: str) -> None:
    """Give the window so many pixels, and let the page see that "dark" or "light" is preferred."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
