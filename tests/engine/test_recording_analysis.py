"""What an analysis of a recording says of its words."""

from __future__ import annotations

from dataclasses import replace

from kelly_live.core.emotion_space import create_state
from kelly_live.core.emotion_words import EmotionWord, EmotionWords
from kelly_live.engine.recording_analysis import RecordingAnalysis

WORDS = EmotionWords("xx", (EmotionWord("glad", 0.8, 0.5, 0.4), EmotionWord("low", -0.6, -0.3, -0.3)))


def test_a_recording_and_each_of_its_windows_are_named() -> None:
    sad, happy = (create_state(emotion=emotion) for emotion in ("sad", "happy"))
    states = (sad, happy, *(sad,) * 10)
    timed = tuple(replace(state, time=0.25 * (i + 1)) for i, state in enumerate(states))
    report = RecordingAnalysis(timed, 3.0, words=WORDS).as_dict("a.wav")
    assert report["word"] == "low"
    assert [window["word"] for window in report["windows"]] == ["low"] * 12  # one happy reading is no new word


def test_what_the_music_induces_is_the_mean_of_the_windows_in_which_it_is_read() -> None:
    sad = create_state(emotion="sad")
    states = (sad, *(replace(sad, gems=(("power", power), ("tension", 0.1))) for power in (0.2, 0.4)))
    report = RecordingAnalysis(states, 0.75).as_dict("a.wav")
    assert (report["gems_power"], report["gems_tension"]) == (0.3, 0.1)
    assert [window.get("gems_power") for window in report["windows"]] == [None, 0.2, 0.4]


def test_without_words_there_are_none() -> None:
    report = RecordingAnalysis((create_state(emotion="sad"),), 0.25).as_dict("a.wav")
    assert "word" not in report
    assert not [name for name in report if name.startswith("gems")]
    assert "word" not in report["windows"][0]
