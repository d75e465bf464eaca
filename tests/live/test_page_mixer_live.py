"""The mixer, the locks and the profile on the page, in a real browser beside an independent listener."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kelly_live.cli import run_program
from kelly_live.generators.builtin.chords import ChordGenerator
from tests.live.browser import get_text, open_page
from tests.live.conftest import JackMonitor, wait_for
from tests.live.session import create_engine

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.timeout(180)

CHANNEL = ChordGenerator.descriptor.channel


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element("css selector", selector)


def press(browser: Chrome, selector: str) -> None:
    browser.execute_script("arguments[0].click()", find(browser, selector))  # it may lie below the window


def test_who_is_muted_is_not_heard_what_is_locked_stays_and_what_is_said_is_taken_back(
    monitor: JackMonitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run_program(["profile", "create", "me"]) == 0
    with create_engine(sends=True, with_page=True, profile="me") as engine, open_page(engine) as browser:
        monitor.listen_to("Kelly Live")

        def count_notes(*, of_chords: bool) -> int:
            played = [data for _, data in monitor.of_kind(0x90) if data[2] > 0]
            return sum(((data[0] & 15) + 1 == CHANNEL) is of_chords for data in played)

        def wait_for_notes(count: int, *, of_chords: bool) -> None:
            target = count_notes(of_chords=of_chords) + count
            wait_for(lambda: count_notes(of_chords=of_chords) >= target, f"{count} notes", 30.0)

        mute, lock = '[aria-label="Mute chords"]', '[aria-label="Lock tempo"]'
        wait_for(lambda: browser.find_elements("css selector", mute), "the mixer", 30.0)
        wait_for_notes(3, of_chords=True)
        press(browser, mute)
        wait_for(lambda: find(browser, mute).get_attribute("aria-pressed") == "true", "the mute")
        wait_for(lambda: CHANNEL not in {one for one, _ in monitor.list_sounding_notes()}, "the end of the chords")
        silent_from = count_notes(of_chords=True)
        wait_for_notes(8, of_chords=False)
        assert count_notes(of_chords=True) == silent_from
        press(browser, mute)
        wait_for_notes(3, of_chords=True)

        press(browser, lock)
        wait_for(lambda: find(browser, lock).get_attribute("aria-pressed") == "true", "the lock")
        bpm, bar = engine.snapshot().conductor.bpm, engine.snapshot().conductor.bar
        press(browser, '[data-emotion="excited"]')
        wait_for(lambda: engine.snapshot().conductor.bar >= bar + 4, "four bars", 60.0)
        assert engine.snapshot().reading.parameters.tempo.suggested > 1.1 * bpm
        assert engine.snapshot().conductor.bpm == bpm
        row = f"tbody tr:has({lock}) td"
        now, feeling = browser.find_elements("css selector", row)[:2]
        assert int(now.text.removesuffix(" BPM")) == pytest.approx(bpm, abs=0.5)
        assert feeling.text != now.text

        press(browser, '[data-reaction="like"]')
        wait_for(lambda: "me: 1 reaction" in get_text(browser, "learned"), "what was learned", 30.0)
        press(browser, '[data-reaction="undo-reaction"]')
        wait_for(lambda: "me: 0 reactions" in get_text(browser, "learned"), "the undo", 30.0)
        assert get_text(browser, "profile") == "plays for me"
