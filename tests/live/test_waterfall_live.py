"""The waterfall in a real browser: a note is seen there before JACK hears it."""

from __future__ import annotations

from typing import Any

import pytest

from kelly_live.engine.options.override import OverrideOptions
from kelly_live.generators.builtin.melody import MelodyGenerator
from tests.live.browser import open_page
from tests.live.conftest import JackMonitor, wait_for
from tests.live.session import create_engine

pytestmark = pytest.mark.timeout(180)

CHANNEL = MelodyGenerator.descriptor.channel
# The tune that comes, and how many pixels above the line have its colour (#ffc44d).
LOOK = """
const canvas = document.getElementById("roll"), { beat, perBar, coming } = canvas.score;
const above = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height / 2).data;
let coloured = 0;
for (let i = 0; i < above.length; i += 4) {
  coloured += Math.abs(above[i] - 255) + Math.abs(above[i + 1] - 196) + Math.abs(above[i + 2] - 77) < 30;
}
const tune = coming.filter((note) => note[4] === "melody").sort((a, b) => a[0] - b[0]);
return { beat, perBar, coloured, tune: tune.filter((note) => note[0] > beat + 1) };
"""


def test_a_note_is_seen_a_bar_before_jack_hears_it(monitor: JackMonitor) -> None:
    happy = OverrideOptions(emotion="happy")
    with create_engine(sends=True, with_page=True, override=happy) as engine, open_page(engine) as browser:
        monitor.listen_to("Kelly Live")

        def look() -> dict[str, Any] | None:
            seen: dict[str, Any] = browser.execute_script(LOOK)
            is_full = len(seen["tune"]) >= 6 and seen["tune"][-1][0] >= seen["beat"] + seen["perBar"]
            return seen if is_full and seen["coloured"] > 20 else None

        seen = wait_for(look, "the notes of the coming bars", 60.0)
        seen_at, pitches = monitor.now(), [int(note[2]) for note in seen["tune"]]

        def hear() -> list[float] | None:
            heard = [(at, data[1]) for at, data in monitor.of_kind(0x90) if data[2] and data[0] & 15 == CHANNEL - 1]
            after = [(at, pitch) for at, pitch in heard if at > seen_at - 1.0]
            for first in range(len(after) - len(pitches) + 1):
                part = after[first : first + len(pitches)]
                if [pitch for _, pitch in part] == pitches:
                    return [at for at, _ in part]
            return None

        times = wait_for(hear, f"the tune {pitches}", 60.0)
        assert min(times) > seen_at
