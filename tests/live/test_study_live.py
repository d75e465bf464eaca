"""A listening study in a real browser, answered by a script as a noisy listener would, and analysed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kelly_live.cli import run_program
from kelly_live.lab.study.answers import read_answers
from kelly_live.lab.study.design import MUSIC, StudyDesign, load_design
from kelly_live.lab.study.headphones import find_answers
from tests.live.browser import open_browser
from tests.live.conftest import wait_for

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    arguments = ["--emotion", "happy", "--emotion", "sad", "--pieces", "1", "--seconds", "3", "--listeners", "2"]
    assert run_program(["study", "new", str(folder), *arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "kelly_live", "study", "run", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found.group()
        process.send_signal(signal.SIGINT)


def answer_all(browser: Chrome, address: str, design: StudyDesign, *, seed: int) -> None:
    """Answer a whole session: the tones rightly, the checks as they say, and the music nearly as it is meant."""
    rng = np.random.default_rng(seed)
    browser.get(address)
    wait_for(lambda: browser.find_element("id", "agree").is_displayed(), "the consent", 30.0)
    click(browser, "agree")
    for tone in find_answers(design.seed):
        play(browser)
        click(browser, f"#tones button:nth-child({tone})")
    while not browser.find_element("id", "end").is_displayed():
        if browser.find_element("id", "player").is_displayed():
            play(browser)
            source = str(browser.find_element("id", "sound").get_attribute("src"))
            stimulus = design.find_stimulus(source.rpartition("/")[2])
            emotion, valence, arousal = stimulus.emotion, stimulus.valence, stimulus.arousal
        else:
            text = browser.find_element("id", "instruction").text
            emotion = next(one for one in design.emotions if f"“{one}”" in text)
            valence = -0.8 if "unpleasant" in text else 0.8
            arousal = 0.8 if "stirred" in text else -0.8
        for axis, value in (("valence", valence), ("arousal", arousal)):
            set_slider(browser, axis, float(np.clip(value + 0.1 * rng.normal(), -1.0, 1.0)))
        click(browser, f"emotion-{emotion}")
        click(browser, "next")


def progress(browser: Chrome) -> str:
    return str(browser.find_element("id", "progress").text)


def click(browser: Chrome, name: str) -> None:
    """Click what has this id or selector; what sends an answer has sent it afterwards."""
    before = progress(browser)
    is_answer = name == "next" or name.startswith("#tones")
    browser.find_element("css selector", name if name.startswith("#") else f"#{name}").click()
    if is_answer:
        wait_for(lambda: progress(browser) != before, "the next trial", 20.0)


def play(browser: Chrome) -> None:
    browser.find_element("id", "play").click()
    wait_for(lambda: "heard" in browser.find_element("id", "heard").text, "the sound", 20.0)


def set_slider(browser: Chrome, name: str, value: float) -> None:
    script = "const [slider, value] = arguments; slider.value = value; slider.dispatchEvent(new Event('input'))"
    browser.execute_script(script, browser.find_element("id", name), value)


def test_two_listeners_answer_and_are_heard(folder: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    design = load_design(folder)
    for seed, scheme in ((1, "dark"), (2, "light")):
        with open_browser(1024, 900, scheme=scheme) as browser:
            answer_all(browser, address, design, seed=seed)
    answers = list(read_answers(folder))
    assert sum(answer.kind == MUSIC for answer in answers) == 2 * len(design.stimuli)
    assert run_program(["study", "analyse", str(folder)]) == 0
    report = capsys.readouterr().out
    assert "2 listeners of 2 planned. Left out: none." in report
    assert "| ours | 4 | 1.000 [1.000, 1.000]" in report


def test_the_page_is_usable_by_all_and_tells_nobody_what_is_meant(address: str) -> None:
    from axe_core_python.selenium import Axe

    with open_browser(320, 700) as browser:
        browser.get(address)
        wait_for(lambda: browser.find_element("id", "agree").is_displayed(), "the consent", 30.0)
        assert Axe().run(browser)["violations"] == []
        click(browser, "agree")
        assert Axe().run(browser)["violations"] == []
        browser.refresh()
        wait_for(lambda: "Listening" not in browser.title, "the study", 20.0)
        assert "ours" not in browser.page_source
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 320


def test_a_stranger_is_refused(address: str) -> None:
    import urllib.error
    import urllib.request

    for changed in (address.partition("?")[0], address[:-3] + "abc"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(changed)
    other = urllib.request.Request(address, headers={"Origin": "http://evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(other)
