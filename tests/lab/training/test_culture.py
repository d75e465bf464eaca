"""The adapter learns the presets' parameters, and marks the unknown ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kelly_live.core.errors import ConfigError
from kelly_live.cultures.preset import CulturePreset, load_preset_file
from kelly_live.lab.nets.culture import load_culture_adapter
from kelly_live.lab.training.culture import train_culture

FAST = """\
tempo_bpm: {value: [120.0, 180.0, 240.0], source: measured, n: 30, of: tunes, reference: a corpus}
rhythms: {value: [0.1, 0.0, 0.2, 0.7, 0.0], source: measured, n: 30, of: tunes, reference: a corpus}
"""
MODAL = """\
mode_preferences: {value: [0.0, 0.8, 0.2, 0.0, 0.0, 0.0, 0.0], source: measured, n: 9, of: tunes, reference: a corpus}
"""


def write_preset(folder: Path, name: str, body: str) -> CulturePreset:
    head = f"format: 1\nname: {name}\ntitle: {name}\nsummary: for a test\nregion: Nowhere\nlanguages: [xx]\n"
    (folder / f"{name}.yaml").write_text(head + body, encoding="utf-8")
    return load_preset_file(folder / f"{name}.yaml")


def test_only_known_parameters_are_learned(tmp_path: Path) -> None:
    presets = [write_preset(tmp_path, "fast", FAST), write_preset(tmp_path, "modal", MODAL)]
    out = tmp_path / "culture.safetensors"
    card = train_culture(presets, out, steps=300)
    assert card["presets"]["modal"] == {"tempo": False, "modes": True, "dynamics": False, "rhythms": False}
    net = load_culture_adapter(out)
    sad = torch.eye(8)[1:2]
    with torch.no_grad():
        fast, modal = (net(sad, torch.tensor([net.find_culture_id(name)])) for name in ("fast", "modal"))
    assert fast.tempo_range[0].tolist() == pytest.approx([120.0, 180.0, 240.0], rel=0.05)
    assert fast.rhythm_patterns[0, 3] == pytest.approx(0.7, abs=0.05)
    assert modal.mode_preferences[0, 1] == pytest.approx(0.8, abs=0.05)
    assert fast.known[0].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert modal.known[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    torch.testing.assert_close(fast.adapted_emotion, sad)  # no adaptation of emotions was learned
    assert "| fast | known | – | – | known |" in out.with_suffix(".md").read_text(encoding="utf-8")


def test_the_same_presets_give_the_same_weights(tmp_path: Path) -> None:
    presets = [write_preset(tmp_path, "fast", FAST)]
    for name in ("a", "b"):
        train_culture(presets, tmp_path / f"{name}.safetensors", steps=20)
    a, b = (load_culture_adapter(tmp_path / f"{name}.safetensors").state_dict() for name in ("a", "b"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_no_preset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no culture preset to learn"):
        train_culture([], tmp_path / "x.safetensors")
