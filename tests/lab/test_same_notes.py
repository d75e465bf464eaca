"""The comparison of two commits: pieces over every preset and culture, and a digest of what sounds."""

import importlib.metadata
from pathlib import Path

import mido
import pytest

from kelly_live.lab.same_notes import CULTURES, EMOTIONS, PRESETS, digest_events, list_pieces, write_metadata


def write_midi(path: Path, *messages: mido.Message | mido.MetaMessage) -> Path:
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack(messages))
    file.save(path)
    return path


def note(velocity: int = 64, time: int = 0) -> mido.Message:
    return mido.Message("note_on", note=60, velocity=velocity, time=time)


def test_a_checkout_has_its_own_players(tmp_path: Path) -> None:
    checkout, folder = tmp_path / "checkout", tmp_path / "metadata"
    checkout.mkdir()
    folder.mkdir()
    (checkout / "pyproject.toml").write_text(
        '[project]\nname = "kelly-live"\n[project.entry-points."kelly_live.generators"]\nbass = "old.bass:Bass"\n'
    )
    write_metadata(checkout, folder)
    (distribution,) = importlib.metadata.distributions(name="kelly-live", path=[str(folder)])
    assert [(entry.group, entry.name, entry.value) for entry in distribution.entry_points] == [
        ("kelly_live.generators", "bass", "old.bass:Bass")
    ]


def test_the_pieces_use_every_emotion_preset_and_culture() -> None:
    pieces = list_pieces()
    words = {word for piece in pieces for word in piece}
    assert len(pieces) == len({tuple(piece) for piece in pieces}) == 40
    assert {*EMOTIONS, *PRESETS, *(culture for culture in CULTURES if culture)} <= words


def test_notation_does_not_count(tmp_path: Path) -> None:
    plain = write_midi(tmp_path / "plain.mid", note(time=120))
    signature = mido.MetaMessage("time_signature", numerator=3, denominator=4, time=20)
    notated_file = write_midi(tmp_path / "notated.mid", signature, note(time=100))
    assert digest_events(notated_file) == digest_events(plain)


@pytest.mark.parametrize("other", [note(velocity=65, time=120), note(time=121)], ids=["velocity", "tick"])
def test_any_other_event_is_another_digest(tmp_path: Path, other: mido.Message) -> None:
    first, second = write_midi(tmp_path / "first.mid", note(time=120)), write_midi(tmp_path / "second.mid", other)
    assert digest_events(first) != digest_events(second)
