"""Draw the page of docs/page.md while it plays to the demo: `python -m kelly_live.lab.plots.page docs`.

One browser takes six pictures within some seconds of one session: as wide as a telephone, a tablet and a projector,
dark and light, each as high as the page is. Raises ConfigError without chromium and selenium.
"""

from __future__ import annotations

import sys
import time
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.resources import find_resources
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.page import PageOptions
from kelly_live.lab.bench.browser import open_browser, set_screen
from kelly_live.lab.bench.playing import find_page_link

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SCREENS = ((320, 640), (1024, 768), (1920, 1080))
SCHEMES = ("dark", "light")
_PLAYED_SECONDS = 14.0
_REDRAW_SECONDS = 0.7


def main(folder: Path) -> None:
    """Write page-WIDTH-SCHEME.png for each width and scheme."""
    options = LiveOptions(page=PageOptions(is_shown=True, port=0), profile="none", seed=1)
    parts = LiveParts.create(find_resources("presets") / "demo" / "recording.ogg", null_port=True)
    with LiveEngine(options, parts) as engine, open_browser(*SCREENS[-1]) as browser:
        browser.get(find_page_link(engine))
        time.sleep(_PLAYED_SECONDS)
        for width, height in SCREENS:
            for scheme in SCHEMES:
                set_screen(browser, width, height, scheme=scheme)
                time.sleep(_REDRAW_SECONDS)
                write_atomically(folder / f"page-{width}-{scheme}.png", reduce_colours(_take_picture(browser, width)))


def reduce_colours(png: bytes) -> bytes:
    """Return a PNG with the 256 colours that cover most of a picture, which makes it a third as large."""
    from PIL import Image

    picture = Image.open(BytesIO(png)).convert("RGB")
    counts = sorted(picture.getcolors(picture.width * picture.height) or [], reverse=True)
    palette = Image.new("P", (1, 1))
    palette.putpalette([level for _, colour in counts[:256] for level in cast("tuple[int, ...]", colour)])
    reduced = BytesIO()
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(reduced, "PNG", optimize=True)
    return reduced.getvalue()


def _take_picture(browser: Chrome, width: int) -> bytes:
    """Return a PNG of the whole page, below the window's end too."""
    height = int(browser.execute_script("return document.body.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    options = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    return b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", options)["data"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
