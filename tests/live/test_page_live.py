"""The page in a real browser: what it shows is what plays, and what is done there is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kelly_live.cli import run_program
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.options.recording import RecordingOptions
from kelly_live.engine.replay import replay_log
from kelly_live.lab.bench.playing import find_page_link
from kelly_live.music.mixer import MixerStrip
from tests.live.browser import find, get_text, open_browser, open_page
from tests.live.conftest import wait_for
from tests.live.session import create_engine

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.timeout(180)

EXAMPLE = Path(__file__).parents[2] / "examples" / "page_client.py"


@pytest.fixture(scope="module")
def engine() -> Iterator[LiveEngine]:
    """A session that plays on, without nets and without a port."""
    with create_engine(with_page=True) as engine:
        yield engine


@pytest.fixture(scope="module")
def browser(engine: LiveEngine) -> Iterator[Chrome]:
    with open_page(engine) as browser:
        yield browser


def get_valence(engine: LiveEngine) -> float:
    return engine.snapshot().reading.state.valence


def test_it_shows_what_plays(engine: LiveEngine, browser: Chrome) -> None:
    wait_for(lambda: len(find(browser, "parts").find_elements("tag name", "li")) >= 3, "notes of three parts", 30.0)
    number, unit = get_text(browser, "now-tempo").split()
    assert (int(number), unit) == (pytest.approx(engine.snapshot().conductor.bpm, abs=0.5), "BPM")
    key = f"{engine.snapshot().conductor.tonic} {engine.snapshot().conductor.mode}"
    wait_for(lambda: get_text(browser, "now-key") == key, "the key")
    bar = int(get_text(browser, "now-bar"))
    wait_for(lambda: int(get_text(browser, "now-bar")) > bar, "the next bar")


def test_a_drag_on_the_plane_steers_and_a_double_tap_lets_go(engine: LiveEngine, browser: Chrome) -> None:
    from selenium.webdriver import ActionChains

    plane = find(browser, "plane")
    width, height = plane.size["width"], plane.size["height"]
    chain = ActionChains(browser).move_to_element(plane).click_and_hold()
    chain.move_by_offset(int(width * 0.3), -int(height * 0.25)).pause(0.2).move_by_offset(2, 0).release().perform()
    wait_for(lambda: get_valence(engine) == pytest.approx(0.6, abs=0.1), "the valence that was dragged to")
    assert engine.snapshot().reading.state.arousal == pytest.approx(0.5, abs=0.1)
    wait_for(lambda: "held" in get_text(browser, "override"), "what is held")
    ActionChains(browser).pause(0.5).move_to_element(plane).click().click().perform()
    wait_for(lambda: get_text(browser, "override") == "follows what is heard", "the release")


def test_a_path_that_is_drawn_with_shift_is_followed(engine: LiveEngine, browser: Chrome) -> None:
    from selenium.webdriver import ActionChains, Keys

    plane = find(browser, "plane")
    width, height = plane.size["width"], plane.size["height"]
    chain = ActionChains(browser).pause(0.5).key_down(Keys.SHIFT).move_to_element(plane).click_and_hold()
    for step in ((-0.2, 0.0), (0.0, 0.2), (0.2, 0.1)):
        chain.move_by_offset(int(step[0] * width), int(step[1] * height))
    chain.release().key_up(Keys.SHIFT).perform()
    wait_for(lambda: get_text(browser, "override") == "on the path that was drawn", "the path")
    wait_for(lambda: get_valence(engine) < -0.05, "the way there", 30.0)
    find(browser, "release").click()
    wait_for(lambda: get_text(browser, "override") == "follows what is heard", "the release")


def test_a_slider_steers_by_keyboard_alone(engine: LiveEngine, browser: Chrome) -> None:
    slider = find(browser, "valence")
    slider.send_keys("\ue010")  # End
    wait_for(lambda: get_valence(engine) == 1.0, "the valence at its end")
    find(browser, "release").click()
    wait_for(lambda: get_valence(engine) < 1.0, "the release")


def test_a_level_and_a_players_own_parameter_are_set_by_keyboard_alone(engine: LiveEngine, browser: Chrome) -> None:
    strip = browser.find_element("css selector", '.strip[aria-label="melody"]')
    strip.find_element("css selector", "input").send_keys("\ue011")  # Home
    wait_for(lambda: get_strip(engine, "melody").level == 0.0, "the level at its end")
    wait_for(lambda: "silent" in str(strip.get_attribute("class")), "that it is silent")
    strip.find_element("css selector", "input").send_keys("\ue010")  # End
    wait_for(lambda: get_strip(engine, "melody").level == 1.0, "the level at its other end")
    strip.find_element("tag name", "summary").click()
    strip.find_element("css selector", "details input").send_keys("\ue010")
    wait_for(lambda: {one.address: one.target for one in engine.parameters}["melody.octave"] == 2, "the octave")


def test_a_tradition_and_what_is_followed_are_chosen_while_it_plays(engine: LiveEngine, browser: Chrome) -> None:
    from selenium.webdriver.support.select import Select

    (choice,) = wait_for(lambda: find(browser, "culture").find_elements("tag name", "select"), "the traditions")
    Select(choice).select_by_visible_text("klezmer")
    wait_for(
        lambda: "culture: klezmer at 100 %, from the next phrase on" in get_text(browser, "lines"), "the tradition"
    )
    wait_for(lambda: engine.snapshot().reading.parameters.style is not None, "its style")
    strength = find(browser, "culture").find_element("css selector", "input")
    wait_for(strength.is_displayed, "its strength's slider")
    strength.send_keys("\ue011")  # Home
    wait_for(lambda: "klezmer at 0 %" in get_text(browser, "lines"), "its strength")
    Select(choice).select_by_visible_text("none")
    wait_for(lambda: engine.snapshot().reading.parameters.style is None, "the end of it")
    tempo = find(browser, "follow").find_element("css selector", "button")
    tempo.click()
    wait_for(lambda: "follow tempo: starting" in get_text(browser, "lines"), "that it starts")
    wait_for(lambda: tempo.get_attribute("aria-pressed") == "true", "that it follows")
    wait_for(lambda: "no tempo to follow" in get_text(browser, "remarks"), "that there is no beat in a tone", 20.0)
    tempo.click()
    wait_for(lambda: tempo.get_attribute("aria-pressed") == "false", "the end of it")


def test_a_recording_begins_and_ends_and_what_was_played_is_kept(tmp_path: Path) -> None:
    """By the page's buttons; the log of each gives the same file again."""
    with create_engine(with_page=True, recording=RecordingOptions(folder=tmp_path)) as engine, open_page(engine) as own:
        wait_for(lambda: engine.snapshot().conductor.bar >= 1, "the second bar")
        find(own, "record").click()
        wait_for(lambda: find(own, "record").get_attribute("aria-pressed") == "true", "the recording")
        wait_for(lambda: f"recording from bar 2 on: {tmp_path}" in get_text(own, "lines"), "where it goes")
        find(own, "keep").click()
        wait_for(lambda: len(list(tmp_path.glob("*.mid"))) == 1, "what was kept")
        wait_for(lambda: engine.snapshot().conductor.bar >= 3, "the fourth bar")
        find(own, "record").click()
        wait_for(lambda: len(list(tmp_path.glob("*.mid"))) == 2, "the file of the recording")
        assert find(own, "record").get_attribute("aria-pressed") == "false"
    for midi in tmp_path.glob("*.mid"):
        again = replay_log(midi.with_suffix(".jsonl"), print)
        assert (again.midi, again.differs_at) == (midi.read_bytes(), None)


def get_strip(engine: LiveEngine, part: str) -> MixerStrip:
    return next(strip for strip in engine.snapshot().conductor.strips if strip.part == part)


def test_buttons_freeze_lead_and_end_every_note(engine: LiveEngine, browser: Chrome) -> None:
    find(browser, "freeze").click()
    wait_for(lambda: find(browser, "freeze").get_attribute("aria-pressed") == "true", "the freeze")
    sad = find(browser, "emotions").find_element("css selector", '[data-emotion="sad"]')
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", sad)  # from under the header
    sad.click()
    wait_for(lambda: "on the way to sad" in get_text(browser, "override"), "the morph")
    find(browser, "release").click()
    wait_for(lambda: get_text(browser, "override") == "follows what is heard", "the release")
    sent = engine.snapshot().scheduler.sent_messages
    find(browser, "panic").click()
    wait_for(lambda: engine.snapshot().scheduler.sent_messages > sent, "the end of every note")


def test_who_may_only_look_finds_every_control_off(engine: LiveEngine) -> None:
    with open_browser(400, 800) as browser:
        browser.get(find_page_link(engine, may_act=False))
        browser.get(browser.current_url.replace("/show", "/"))
        wait_for(lambda: "to look only" in get_text(browser, "connection"), "the connection", 30.0)
        assert not find(browser, "panic").is_enabled()
        assert not find(browser, "valence").is_enabled()


def test_a_page_process_that_is_killed_comes_back_and_the_music_plays_on(engine: LiveEngine, browser: Chrome) -> None:
    bar = engine.snapshot().conductor.bar
    kill_page()
    wait_for(lambda: "not connected" in get_text(browser, "connection"), "the loss", 20.0)
    wait_for(lambda: get_text(browser, "connection") == "connected", "the connection", 40.0)
    assert engine.snapshot().conductor.bar > bar


def test_a_page_of_a_session_that_has_ended_says_so(engine: LiveEngine, browser: Chrome) -> None:
    """Another session has its address: its token is not the one that this browser keeps."""
    browser.delete_all_cookies()
    kill_page()
    wait_for(lambda: "that session has ended" in get_text(browser, "connection"), "the end", 40.0)


def kill_page() -> None:
    listing = subprocess.run(["pgrep", "-f", "kelly_live.ui.page.process"], capture_output=True, text=True, check=True)
    for process_id in map(int, listing.stdout.split()):
        if get_parent(process_id) == os.getpid():
            os.kill(process_id, signal.SIGKILL)


def get_parent(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1024), ("light", 768)])
def test_axe_finds_nothing(engine: LiveEngine, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_core_python.selenium").Axe()
    with open_page(engine, width, scheme=scheme) as browser:
        for path in ("/", "/plain", "/show", "/overlay"):
            browser.get(browser.current_url.rpartition("/")[0] + path)
            violations: list[dict[str, Any]] = axe.run(browser)["violations"]
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == [], path


@pytest.mark.parametrize("width", [768, 1024, 1280])
def test_what_plays_now_stands_in_one_row_in_the_header(engine: LiveEngine, width: int) -> None:
    with open_page(engine, width, 800) as browser:
        items = find(browser, "now").find_elements("css selector", "dd")
        assert len({item.location["y"] for item in items}) == 1


def test_what_is_told_is_shown_where_the_hand_is(engine: LiveEngine) -> None:
    """With nobody to learn for, a reaction only says so; the list of messages is far below."""
    with open_page(engine, 768, 1024) as browser:
        wait_for(find(browser, "freeze").is_enabled, "that it may be steered")
        browser.execute_script("document.querySelector('#reactions button').click()")
        wait_for(lambda: "nobody to learn it for" in find(browser, "notice").text, "the notice")


def test_no_page_is_wider_than_a_telephone(engine: LiveEngine) -> None:
    with open_page(engine, 320, 800) as browser:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 320


def test_a_reaction_is_learned_and_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run_program(["profile", "create", "me"]) == 0
    with create_engine(with_page=True, profile="me") as engine, open_page(engine) as browser:
        buttons = {button.text: button for button in find(browser, "reactions").find_elements("tag name", "button")}
        buttons["Too fast"].click()
        wait_for(lambda: "too-fast" in get_text(browser, "lines"), "the reaction", 30.0)
        lines = get_text(browser, "lines")
        buttons["Undo"].click()
        wait_for(lambda: get_text(browser, "lines") != lines, "the undo", 30.0)


def test_the_example_prints_the_feeling(engine: LiveEngine) -> None:
    program = subprocess.Popen(
        [sys.executable, str(EXAMPLE), find_page_link(engine)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        assert "BPM" in program.stdout.readline()
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize("query", ["?token=wrong", ""])
def test_the_example_says_in_a_line_that_it_may_not_look(engine: LiveEngine, query: str) -> None:
    address = find_page_link(engine).partition("?")[0] + query
    program = subprocess.run([sys.executable, str(EXAMPLE), address], capture_output=True, text=True, check=False)
    assert program.returncode == 1
    assert program.stderr.startswith(f"no session at {address} (")
    assert program.stderr.count("\n") == 1
