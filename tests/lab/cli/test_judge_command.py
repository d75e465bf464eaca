"""`kelly-live lab judge`: its options, its composer, and what it prints."""

from __future__ import annotations

import io
import json
from pathlib import Path

import mido
import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.engine.build import create_mapper
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.lab.corpora import rendering as render
from kelly_live.lab.intervals import Estimate
from kelly_live.lab.judging import across_cultures, closed_loop
from kelly_live.lab.judging.composers import PIECE_SECONDS, create_midi_composer
from kelly_live.lab.judging.grid_scores import ValenceByArousal
from kelly_live.lab.training.scores import Score
from tests.cli.test_commands import run

LOOP = closed_loop.ClosedLoopResult(
    scores=(Score("human", "4 quadrants, notes judge", 0.6, 0.5, 0.7, 198),),
    valence_by_arousal=(ValenceByArousal("notes judge", "ours, notes", ((-0.8, Estimate(0.4, -0.3, 0.8), 10),)),),
    confusions=(closed_loop.Confusion("notes judge", "human", tuple((1, 2, 3, 4) for _ in range(4))),),
    judges={"notes": {"clips": 767, "songs": 290, "validated": 0.65, "strengths": (0.1, 10.0, 10.0)}},
)


@pytest.fixture(autouse=True)
def soundfonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Soundfonts that are there, on any machine; nothing here renders with them."""
    font = tmp_path / "there.sf2"
    font.touch()
    monkeypatch.setattr(render, "SOUNDFONTS", (font,))
    monkeypatch.setattr(render, "HELD_OUT_SOUNDFONT", font)
    return font


def list_notes(midi: bytes) -> list[tuple[int, int, int]]:
    """(channel 1-16, pitch, velocity) of each note."""
    return [
        (m.channel + 1, m.note, m.velocity)
        for m in mido.MidiFile(file=io.BytesIO(midi))
        if m.type == "note_on" and m.velocity
    ]


def test_both_readings_are_the_same_notes_and_the_piano_has_no_drums() -> None:
    midi = create_midi_composer(create_mapper())(0.5, 0.5, 3)
    for data in midi.values():
        first_levels: dict[tuple[int, int], int] = {}
        for message in mido.MidiFile(file=io.BytesIO(data)):
            if message.type == "control_change" and message.control in (7, 11):
                first_levels.setdefault((message.channel, message.control), message.value)
        assert set(first_levels.values()) == {127, 100}  # what the one takes off, the other adds
    band, piano = (list_notes(midi[name]) for name in ("band", "piano"))
    assert 10 in {channel for channel, _, _ in band}
    assert [note for note in band if note[0] != 10] == piano
    programs = {m.program for m in mido.MidiFile(file=io.BytesIO(midi["piano"])) if m.type == "program_change"}
    assert programs == {0}


@pytest.mark.parametrize("arousal", [-0.8, 0.8])
def test_pieces_last_about_half_a_minute_at_any_tempo(arousal: float) -> None:
    """To a bar and a half: whole bars are played, and the last one slows down."""
    mapper = create_mapper()
    bar_seconds = 240.0 / mapper(create_state(0.0, arousal)).tempo.suggested
    midi = create_midi_composer(mapper)(0.0, arousal, 1)["band"]
    assert mido.MidiFile(file=io.BytesIO(midi)).length == pytest.approx(PIECE_SECONDS, abs=1.5 * bar_seconds)


def test_seeds_play_in_several_keys() -> None:
    compose = create_midi_composer(create_mapper())
    endings = {list_notes(compose(0.5, -0.5, seed)["piano"])[-1][1] % 12 for seed in range(1, 9)}
    assert len(endings) >= 3


def test_it_prints_tables_or_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments: dict[str, object] = {}

    def close(*args: object, **options: object) -> closed_loop.ClosedLoopResult:
        arguments.update(options)
        return LOOP

    monkeypatch.setattr(closed_loop, "evaluate_closed_loop", close)
    assert run("lab", "judge", "--symbolic", "x", "--pieces", 3, "--workers", 1) == 0
    text = capsys.readouterr().out
    assert "| human | 4 quadrants, notes judge | 0.600 | 0.500 – 0.700 | 198 |" in text
    assert "| ours, notes, notes judge | 0.40 (-0.30 – 0.80) |" in text
    assert "| Q4 intended | 1 | 2 | 3 | 4 |" in text
    assert (arguments["pieces"], arguments["workers"]) == (3, 1)
    assert run("lab", "judge", "--symbolic", "x", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["n"] == 198


def test_cultures_are_judged_beside_the_plain_music(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: dict[str, object] = {}

    def judge(*args: object, **options: object) -> across_cultures.CultureComparison:
        arguments.update(options, cultures=list(args[4]))  # type: ignore[call-overload]
        return across_cultures.CultureComparison(())

    monkeypatch.setattr(across_cultures, "judge_cultures", judge)
    assert run("lab", "judge", "--symbolic", "x", "--cultures", "klezmer,irish, klezmer", "--culture-pieces", 3) == 0
    assert (arguments["cultures"], arguments["pieces"], arguments["plain_pieces"]) == (
        ["klezmer", "irish-traditional"],
        3,
        40,
    )
    assert run("lab", "judge", "--symbolic", "x", "--cultures", "klezmre") == 1
    assert run("lab", "judge", "--symbolic", "x", "--cultures", "all", "--mapper", "m.safetensors") == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kelly-live:")]
    assert "did you mean klezmer" in errors[0]
    assert "leave --mapper out" in errors[1]


def test_a_tradition_out_of_twelve_tones_is_in_tune_for_the_judges_and_all_on_the_piano() -> None:
    midi = create_midi_composer(create_mapper(CultureOptions("turkish-makam:rast", 1.0)))(0.5, 0.5, 1)
    messages = [m for m in mido.MidiFile(file=io.BytesIO(midi["piano"])) if not m.is_meta]
    assert any(m.type == "pitchwheel" and m.pitch for m in messages)
    assert {m.program for m in messages if m.type == "program_change"} == {0}
    assert all(m.channel != 9 for m in messages)
    assert {m.program for m in mido.MidiFile(file=io.BytesIO(midi["band"])) if m.type == "program_change"} > {0}


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lab", "judge") == 2
    assert run("lab", "judge", "--symbolic", tmp_path, "--cache", tmp_path) == 1
    assert run("lab", "judge", "--symbolic", tmp_path, "--mapper", tmp_path / "none.safetensors") == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kelly-live:")]
    assert len(errors) == 2


def test_a_missing_soundfont_is_told_before_the_listening(
    soundfonts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(closed_loop, "evaluate_closed_loop", lambda *args, **options: pytest.fail("it listened"))
    soundfonts.unlink()
    assert run("lab", "judge", "--symbolic", "x") == 1
    assert "timgm6mb-soundfont" in capsys.readouterr().err
