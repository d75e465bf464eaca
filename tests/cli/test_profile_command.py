"""`kelly-live profile` as a user meets it: made, taught, output, played, forgotten, taken elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from kelly_live.cli import main
from kelly_live.core.actions import Action
from kelly_live.core.resources import find_resources
from kelly_live.engine.options.host import HostOptions
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import ProfileStore
from tests.profiles.sample import NOW


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProfileStore:
    """An empty data folder with one new profile, anna."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run("profile", "create", "anna") == 0
    return ProfileStore()


def compose_file(path: Path, *args: object) -> bytes:
    assert run("compose", "--emotion", "sad", "--bars", 2, "--midi", path, *args) == 0
    return path.read_bytes()


def tempo(path: Path) -> float:
    return next(mido.tempo2bpm(m.tempo) for m in mido.MidiFile(path).tracks[0] if m.type == "set_tempo")


def test_a_target_is_played_shown_and_reset_to_the_byte(
    store: ProfileStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = store.path("anna").read_bytes()
    base = compose_file(tmp_path / "base.mid")
    assert compose_file(tmp_path / "untaught.mid", "--profile", "anna") == base
    assert run("profile", "rate", "anna", "--emotion", "sad", "--target", "tempo=60", "--say", "too bright") == 0
    assert f"sad: tempo {tempo(tmp_path / 'base.mid'):.0f} → 6" in capsys.readouterr().out
    assert compose_file(tmp_path / "slow.mid", "--profile", "anna") != base
    assert tempo(tmp_path / "slow.mid") == pytest.approx(60.0, abs=6.5)  # what was not named is held
    assert tempo(tmp_path / "slow.mid") < 0.85 * tempo(tmp_path / "base.mid")

    capsys.readouterr()
    assert run("profile", "show", "anna") == 0
    profile_text = capsys.readouterr().out
    assert "anna: 2 reactions" in profile_text
    assert re.search(r"your sad \(2 reactions\): slower \(-[12]\d ± \d BPM; [89]\d% known\)", profile_text), (
        profile_text
    )
    assert run("profile", "show", "anna", "--json") == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["reactions"], output["learned_from"], len(output["differences"])) == (2, 2, 40)

    assert run("profile", "reset", "anna") == 0
    assert store.path("anna").read_bytes() == new
    assert compose_file(tmp_path / "again.mid", "--profile", "anna") == base


def test_the_default_profile_is_used_until_it_is_unset(
    store: ProfileStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("profile", "rate", "anna", "--emotion", "sad", "--target", "tempo=60")
    base = compose_file(tmp_path / "base.mid")
    assert run("profile", "use", "anna") == 0
    capsys.readouterr()
    slow = compose_file(tmp_path / "slow.mid")
    assert "anna, your default" in capsys.readouterr().err
    assert slow != base
    assert compose_file(tmp_path / "none.mid", "--profile", "none") == base
    assert run("profile", "list") == 0
    assert "* anna" in capsys.readouterr().out
    assert run("profile", "use", "none") == 0
    assert compose_file(tmp_path / "after.mid") == base


def test_what_is_only_noted_is_learned_later(store: ProfileStore, capsys: pytest.CaptureFixture[str]) -> None:
    run("profile", "rate", "anna", "--valence", "-0.6", "--arousal", "-0.3", "--say", "too-fast", "--no-learn")
    assert store.load("anna").embedding is None
    assert "1 of them not learned from yet" in capsys.readouterr().out
    assert run("profile", "learn", "anna") == 0
    assert store.load("anna").learned_from == 1
    change = re.search(r"sad: tempo (\d+) → (\d+)", capsys.readouterr().out)
    assert change is not None
    assert int(change[2]) < int(change[1])


def test_a_profile_brings_its_culture(store: ProfileStore, tmp_path: Path) -> None:
    assert run("profile", "create", "ravi", "--culture", "Hindustani", "--culture-strength", "0.5") == 0
    assert store.load("ravi").culture == "hindustani"
    own_file = compose_file(tmp_path / "own.mid", "--profile", "ravi")
    assert own_file == compose_file(tmp_path / "asked.mid", "--culture", "hindustani", "--culture-strength", 0.5)
    assert own_file != compose_file(tmp_path / "base.mid")
    assert compose_file(tmp_path / "other.mid", "--profile", "ravi", "--culture", "western") != own_file
    assert run("profile", "create", "x", "--culture", "atlantis") == 1


def test_a_profile_travels(store: ProfileStore, tmp_path: Path) -> None:
    run("profile", "rate", "anna", "--emotion", "happy", "--say", "too-busy")
    assert run("profile", "export", "anna", tmp_path / "anna.yaml") == 0
    assert (tmp_path / "anna.yaml").read_bytes() == store.path("anna").read_bytes()
    assert run("profile", "import", tmp_path / "anna.yaml") == 1  # there is one
    assert run("profile", "import", tmp_path / "anna.yaml", "--as", "berta") == 0
    assert store.load("berta").reactions == store.load("anna").reactions
    assert run("profile", "delete", "anna", "--yes") == 0
    assert run("profile", "import", tmp_path / "anna.yaml") == 0
    assert store.names() == ("anna", "berta")
    (tmp_path / "bad.yaml").write_text("format: 1\nname: ../../evil\ncreated: 2026-11-23T00:40:00Z\n")
    assert run("profile", "import", tmp_path / "bad.yaml") == 1
    assert store.names() == ("anna", "berta")


def test_one_emotion_can_be_reset(store: ProfileStore) -> None:
    run("profile", "rate", "anna", "--emotion", "happy", "--say", "too-busy")
    happy = store.path("anna").read_bytes()
    run("profile", "rate", "anna", "--emotion", "sad", "--target", "tempo=60")
    assert run("profile", "reset", "anna", "--emotion", "sad") == 0
    assert store.path("anna").read_bytes() == happy


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("create", "../anna"), 1),
        (("create", "anna"), 1),
        (("show", "ana"), 1),
        (("rate", "anna", "--say", "too-fast"), 2),
        (("rate", "anna", "--emotion", "sad"), 2),
        (("rate", "anna", "--emotion", "sad", "--say", "too purple"), 2),
        (("rate", "anna", "--emotion", "sad", "--target", "tempo"), 2),
        (("rate", "anna", "--emotion", "sad", "--target", "tempo=fast"), 2),
        (("rate", "anna", "--emotion", "sad", "--target", "tempo=9000"), 2),
        (("rate", "anna", "--emotion", "sad", "--target", "colour=1"), 2),
        (("rate", "ana", "--emotion", "sad", "--say", "like"), 1),
        (("import", "/nowhere/x.yaml"), 1),
        (("export", "anna", "/nowhere/x.yaml"), 1),
        (("delete", "nobody", "--yes"), 1),
    ],
)
def test_mistakes_print_one_line_and_change_nothing(
    store: ProfileStore, args: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = store.path("anna").read_bytes()
    capsys.readouterr()
    assert run("profile", *args) == code
    output = capsys.readouterr().err
    if code == 1:
        assert output.startswith("kelly-live: ")
        assert len(output.strip().splitlines()) == 1
    assert "unexpected" not in output
    assert store.path("anna").read_bytes() == before


def test_what_goes_with_a_profile_is_set_shown_and_taken_back(
    store: ProfileStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("culture=Klezmer", "strength=0.5", "preset=solo-piano", "keys.x=panic", "keys.1=emotion sad")
    assert run("profile", "set", "anna", *settings, "keys.q=none") == 0
    profile = store.load("anna")
    assert (profile.culture, profile.culture_strength, profile.preset) == ("klezmer", 0.5, "solo-piano")
    assert dict(profile.keys) == {"x": Action("panic"), "1": Action("emotion", "sad"), "q": None}
    capsys.readouterr()
    run("profile", "show", "anna")
    assert "your keys: x panic, 1 emotion sad, q nothing" in capsys.readouterr().out
    assert run("profile", "set", "anna", "culture=none", "preset=none", "keys.x=default", "keys.1=default") == 0
    profile = store.load("anna")
    assert (profile.culture, profile.preset, dict(profile.keys)) == (None, None, {"q": None})


def test_a_profile_plays_on_its_own_preset_unless_another_is_typed() -> None:
    anna = replace(new_profile("anna", NOW), preset="strings")
    assert HostOptions().with_profile(anna).presets == ("strings",)
    assert HostOptions(("band",)).with_profile(anna).presets == ("band",)
    assert HostOptions().with_profile(None) == HostOptions().with_profile(new_profile("bert", NOW)) == HostOptions()


@pytest.mark.parametrize(
    "settings",
    ["colour=red", "strength=much", "strength=2", "preset=nonesuch", "culture=atlantis", "calibrate=maybe",
     "keys.xx=panic", "keys.x=explode", "keys.x=emotion", "keys.x=emotion glum"],
)  # fmt: skip
def test_an_invalid_setting_is_an_error_and_changes_nothing(
    store: ProfileStore, settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = store.path("anna").read_bytes()
    capsys.readouterr()
    assert run("profile", "set", "anna", "keys.z=panic", settings) == 2
    output = capsys.readouterr().err
    assert output.startswith("Usage: ")
    assert output.count("Error: ") == 1
    assert store.path("anna").read_bytes() == before


def test_a_neutral_take_is_kept_as_numbers_and_used_when_asked_for(
    store: ProfileStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = find_resources("presets") / "demo" / "recording.ogg"
    assert run("profile", "calibrate", "anna", "--from", recording, "--seconds", 8) == 0
    output = capsys.readouterr().out
    assert "from a recording of 8 s" in output
    assert "not used" in output
    take = store.load("anna").take
    assert take is not None
    assert -60.0 < take.floor_dbfs < take.level_dbfs < 0.0
    assert store.load("anna").offset == (0.0, 0.0, 0.0)
    assert run("profile", "set", "anna", "calibrate=on") == 0
    assert store.load("anna").offset == pytest.approx(take.offset, abs=0.01)
    soundfile.write(tmp_path / "silence.wav", np.zeros(10 * 16_000), 16_000)
    assert run("profile", "calibrate", "anna", "--from", tmp_path / "silence.wav") == 1
    assert "only 0.0 s of 10 s could be read" in capsys.readouterr().err
    assert store.load("anna").take == take
    assert run("profile", "reset", "anna") == 0
    assert (store.load("anna").take, store.load("anna").offset) == (None, (0.0, 0.0, 0.0))


def test_what_was_learned_is_drawn(store: ProfileStore, tmp_path: Path) -> None:
    run("profile", "rate", "anna", "--emotion", "sad", "--target", "tempo=60")
    assert run("profile", "show", "anna", "--plot", tmp_path / "anna.png") == 0
    once = (tmp_path / "anna.png").read_bytes()
    assert once.startswith(b"\x89PNG")
    run("profile", "reset", "anna")
    run("profile", "show", "anna", "--plot", tmp_path / "nothing.png")
    assert (tmp_path / "nothing.png").read_bytes() != once
    assert run("profile", "show", "anna", "--plot", "/nowhere/x.png") == 1


def test_the_old_name_of_the_target_option_still_works(store: ProfileStore) -> None:
    for option in ("--wish", "--target"):
        assert run("profile", "rate", "anna", "--emotion", "sad", option, "tempo=60", "--no-learn") == 0
    old, new = store.load("anna").reactions
    assert (old.kind, old.parameter, old.value) == (new.kind, new.parameter, new.value) == ("wish", "tempo", 60.0)
