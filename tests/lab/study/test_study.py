from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.study.analysis import analyze_answers
from kelly_live.lab.study.answers import COLUMNS, FOLDER, Answer, append_answer, read_answers
from kelly_live.lab.study.design import ATTENTION, MUSIC, OURS, TRAINING, load_design, order_stimuli
from kelly_live.lab.study.headphones import find_answers, has_passed, order_tones, render_trial
from kelly_live.lab.study.new import StudyPlan, create_study
from kelly_live.lab.study.report import write_report
from kelly_live.lab.study.sessions import StudySessions
from kelly_live.lab.study.stimuli import RMS, level_sound, make_piece, read_clip_list
from tests.lab.study.listeners import EMOTIONS, answers_of, listen, small_design


def test_over_all_listeners_each_sound_stands_in_each_place_as_often() -> None:
    design = small_design()
    count = len(design.stimuli)
    places: Counter[tuple[str, int]] = Counter()
    for number in range(2 * count):
        music = [trial.name for trial in design.plan_session(number) if trial.kind == MUSIC]
        assert sorted(music) == sorted(stimulus.name for stimulus in design.stimuli)
        places.update((name, place) for place, name in enumerate(music))
    assert set(places.values()) == {2}


def test_a_session_begins_with_practice_and_has_its_checks_apart() -> None:
    kinds = [trial.kind for trial in small_design().plan_session(0)]
    assert kinds[0] == TRAINING
    checks = [place for place, kind in enumerate(kinds) if kind == ATTENTION]
    assert len(checks) == 2
    assert checks[1] - checks[0] > 3


def test_no_emotion_follows_itself_where_that_can_be() -> None:
    order = order_stimuli(small_design().stimuli, 7)
    assert all(a.emotion != b.emotion for a, b in pairwise([*order, order[0]]))


def test_the_odd_tone_cancels_on_loudspeakers_and_the_soft_one_is_six_decibels_down() -> None:
    order = order_tones(3)[0]
    levels = []
    for index in range(3):
        tone = render_trial(order)[:, round(index * 1.5 * 44100) :][:, :44100]
        levels.append((np.sqrt(np.mean(tone**2)), np.abs(tone.sum(axis=0)).max()))
    loud, soft, odd = (levels[order.index(kind)] for kind in (0, 1, 2))
    assert 20.0 * np.log10(soft[0] / loud[0]) == pytest.approx(-6.0, abs=0.1)
    assert odd[1] == pytest.approx(0.0, abs=1e-6)
    assert find_answers(3)[0] == order.index(1) + 1


def test_one_wrong_tone_passes_and_two_do_not() -> None:
    right = find_answers(3)
    wrong = [answer % 3 + 1 for answer in right]
    assert has_passed(3, right)
    assert has_passed(3, [wrong[0], *right[1:]])
    assert not has_passed(3, [*wrong[:2], *right[2:]])
    assert not has_passed(3, right[:4])


def test_sounds_have_one_length_and_loudness() -> None:
    rng = np.random.default_rng(1)
    for gain in (0.01, 0.9):
        sound = level_sound(gain * rng.uniform(-1.0, 1.0, (2, 44100 * 5)), 44100, 4.0)
        assert sound.shape == (2, 4 * 44100)
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(RMS, rel=1e-3)
        assert np.abs(sound[:, [0, -1]]).max() < 1e-3


def test_a_listener_who_comes_back_goes_on_and_an_answer_counts_once(tmp_path: Path) -> None:
    design = small_design()
    sessions = StudySessions(tmp_path, design)
    session = sessions.begin()
    answer = {"emotion": "1", "valence": 0.0, "arousal": 0.0, "seconds": 4.0, "plays": 1}
    assert sessions.answer(session.listener, 0, **answer) == 1
    assert sessions.answer(session.listener, 0, **answer) == 1
    again = StudySessions(tmp_path, design)
    assert again.begin(session.listener).position == 1
    assert again.begin().number == 1
    assert len(list(read_answers(tmp_path))) == 1


@pytest.mark.parametrize(
    ("position", "change", "message"),
    [
        (3, {}, "is not the next one"),
        (0, {"emotion": "happy"}, "must be one of 1, 2, 3"),
        (0, {"valence": float("nan")}, "between -1 and 1"),
        (0, {"plays": -1}, "out of their range"),
    ],
)
def test_what_is_no_answer_is_refused_and_not_kept(
    tmp_path: Path, position: int, change: dict[str, object], message: str
) -> None:
    sessions = StudySessions(tmp_path, small_design())
    answer = {"emotion": "1", "valence": 0.0, "arousal": 0.0, "seconds": 4.0, "plays": 1} | change
    with pytest.raises(ConfigError, match=message):
        sessions.answer(sessions.begin().listener, position, **answer)  # type: ignore[arg-type]
    assert list(read_answers(tmp_path)) == []


def test_what_listeners_hear_is_found_and_what_they_do_not_is_not(tmp_path: Path) -> None:
    design = small_design()
    sessions = StudySessions(tmp_path, design)
    for seed in range(12):
        listen(sessions, noise=0.3, seed=seed)
    result = analyze_answers(design, list(read_answers(tmp_path)))
    ours, baseline = result.conditions
    assert result.listeners == 12
    assert result.excluded == {}
    assert ours.hit_rate.low > result.chance
    assert ours.valence.low > 0.5
    assert ours.arousal.low > 0.5
    assert baseline.hit_rate.low < result.chance
    assert baseline.hit_rate.high < ours.hit_rate.low
    assert baseline.valence.low < 0.0 < baseline.valence.high
    assert result.contrasts[0].difference.low > 0.0
    assert sum(ours.confusion["sad"].values()) == 24
    assert ours.unbiased["sad"] > baseline.unbiased["sad"]


def test_listeners_who_do_not_attend_or_finish_are_left_out_and_told(tmp_path: Path) -> None:
    design = small_design()
    sessions = StudySessions(tmp_path, design)
    good = [listen(sessions, noise=0.2, seed=seed) for seed in (1, 2)]
    careless = listen(sessions, noise=0.2, seed=3, attends=False)
    stopped = sessions.begin()
    sessions.answer(stopped.listener, 0, emotion="1", valence=0.0, arousal=0.0, seconds=1.0, plays=1)
    answers = list(read_answers(tmp_path))
    result = analyze_answers(design, answers)
    assert result.excluded == {careless: "failed a check of attention", stopped.listener: "did not finish"}
    alone = analyze_answers(design, [*answers_of(answers, good[0]), *answers_of(answers, good[1])])
    assert result.conditions == alone.conditions
    report = write_report(design, result)
    assert "2 listeners of 4 planned. Left out: 1 listener did not finish; 1 listener failed a check" in report


def test_without_answers_the_report_says_that_there_is_no_result() -> None:
    design = small_design()
    assert "there is no result" in write_report(design, analyze_answers(design, []))


def test_a_study_is_made_the_same_again_and_guards_its_sounds(tmp_path: Path) -> None:
    plan = StudyPlan("Test", EMOTIONS[:2], 1, False, None, 3.0, 8, 5)
    steps: list[None] = []
    design = create_study(tmp_path, plan, lambda: steps.append(None))
    assert len(steps) == plan.count_pieces() == 3
    assert load_design(tmp_path) == design
    (tmp_path / "again" / "sounds").mkdir(parents=True)
    again = make_piece(tmp_path / "again", OURS, "happy", seed=5, number=0, seconds=3.0)
    assert again == design.stimuli[0]
    registered = (tmp_path / "preregistration.md").read_text()
    assert "8 are planned" in registered
    with pytest.raises(ConfigError, match="its registration stands; make another one in a new folder"):
        create_study(tmp_path, replace(plan, listeners=9), lambda: None)
    assert (tmp_path / "preregistration.md").read_text() == registered
    sound = next((tmp_path / "sounds").iterdir())
    sound.write_bytes(b"other")
    with pytest.raises(ConfigError, match="is not the sound that the study was made with"):
        load_design(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,emotion\na,sad\n", "line 1: the columns must be file,emotion"),
        ("file,emotion\na.wav,gloomy\n", "line 2: the emotion must be one of happy, sad, angry"),
    ],
)
def test_a_line_of_clips_that_breaks_a_rule_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "clips.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        list(read_clip_list(file, EMOTIONS))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (b"\xff\xfe", "cannot read the answers"),
        (b"x" * 140_000, "cannot read the answers"),
        (b"x,0,0,ours,s", "line 2: it is no answer"),
        (b"x,0,0,ours,s,ours,sad,-1,-1,sad,nan,0,1,1", "line 2: it is no answer .a number is not finite"),
        (b"x,0,0,ours,s,ours,sad,-1,-1,sad,0,5,1,1", "line 2: it is no answer .a place is outside -1 to 1"),
    ],
)
def test_a_damaged_file_of_answers_is_named(tmp_path: Path, rows: bytes, message: str) -> None:
    file = tmp_path / FOLDER / "x.csv"
    file.parent.mkdir()
    file.write_bytes(",".join(COLUMNS).encode() + b"\n" + rows + b"\n")
    with pytest.raises(ConfigError, match=message):
        list(read_answers(tmp_path))


def test_a_file_of_answers_that_lost_its_first_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / FOLDER / "x.csv"
    file.parent.mkdir()
    file.write_bytes(b"\0" * 512)
    with pytest.raises(ConfigError, match="line 1: there is no column listener"):
        list(read_answers(tmp_path))


def test_an_answer_that_a_crash_cut_short_spoils_no_other(tmp_path: Path) -> None:
    answer = Answer("x", 0, 0, MUSIC, "s", OURS, "sad", -1.0, -1.0, "sad", 0.0, 0.0, 4.0, 1)
    append_answer(tmp_path, answer)
    file = tmp_path / FOLDER / "x.csv"
    file.write_bytes(file.read_bytes() + b"x,0,1,mu")
    append_answer(tmp_path, replace(answer, position=2))
    with pytest.raises(ConfigError, match="line 3: it is no answer"):
        list(read_answers(tmp_path))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join((*lines[:2], *lines[3:])))
    assert [one.position for one in read_answers(tmp_path)] == [0, 2]
