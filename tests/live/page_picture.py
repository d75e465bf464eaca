"""Draw the page of the docs, while it plays to the demo: `python -m tests.live.page_picture docs/page.png`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from kelly_live.core.resources import find_resources
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.page import PageOptions
from tests.live.browser import open_browser

PLAYED_SECONDS = 14.0


def main(file: Path) -> None:
    options = LiveOptions(page=PageOptions(is_shown=True, port=0), profile="none", seed=1)
    parts = LiveParts.create(find_resources("presets") / "demo" / "recording.ogg", null_port=True)
    with LiveEngine(options, parts) as engine, open_browser(1280, 860) as browser:
        browser.get(next(line for line in engine.describe() if line.startswith("page: ")).removeprefix("page: "))
        time.sleep(PLAYED_SECONDS)
        browser.save_screenshot(str(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
