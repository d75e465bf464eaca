"""Draw the page of docs/page.md while it plays to the demo: `python -m kelly_live.lab.plots.page docs`.

One browser takes six pictures within some seconds of one session: as wide as a telephone, a tablet and a projector,
dark and light, each as high as the page is. Raises ConfigError without chromium and selenium.
"""

from __future__ import annotations

import sys
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.resources import find_resources
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.page import PageOptions
from kelly_live.lab.bench.browser import open_browser

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WIDTHS = (320, 1024, 1920)
SCHEMES = ("dark", "light")
_LEAST_HEIGHT = 480
_PLAYED_SECONDS = 14.0
_REDRAW_SECONDS = 0.7


def main(folder: Path) -> None:
    """Write page-WIDTH-SCHEME.png for each width and scheme."""
    options = LiveOptions(page=PageOptions(is_shown=True, port=0), profile="none", seed=1)
    parts = LiveParts.create(find_resources("presets") / "demo" / "recording.ogg", null_port=True)
    with LiveEngine(options, parts) as engine, open_browser(WIDTHS[-1], _LEAST_HEIGHT) as browser:
        browser.get(next(line for line in engine.describe() if line.startswith("page: ")).removeprefix("page: "))
        time.sleep(_PLAYED_SECONDS)
        for width in WIDTHS:
            for scheme in SCHEMES:
                _show(browser, width, scheme)
                picture = reduce_colours(browser.get_screenshot_as_png())
                write_atomically(folder / f"page-{width}-{scheme}.png", picture)


def reduce_colours(png: bytes) -> bytes:
    """Return a PNG with a palette of 256 colours, which makes it a third as large."""
    from PIL import Image

    reduced = BytesIO()
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    picture.save(reduced, "PNG", optimize=True)
    return reduced.getvalue()


def _show(browser: Chrome, width: int, scheme: str) -> None:
    """Make the window as wide as asked and as high as the page, in this colour scheme."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for height in (_LEAST_HEIGHT, 0):
        height = height or int(browser.execute_script("return document.documentElement.scrollHeight"))
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        time.sleep(_REDRAW_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
