"""The page for authors, followed literally: from nothing to a sounding bass line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from kelly_live.midi.file_reader import read_midi_file

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-a-generator.md"


def test_the_commands_of_the_page_lead_to_a_sounding_bass_line(tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [line for language, block in blocks if not language for line in block.splitlines()]
    assert len(commands) == 5
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "x")}
    outputs = []
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "kelly-live"
        result = subprocess.run(
            [sys.executable, "-m", "kelly_live", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, f"{command}: {result.stderr}"
        outputs.append(result.stdout)
    pitches = [
        message.note
        for message in read_midi_file(tmp_path / "slow-bass.mid")
        if message.type == "note_on" and message.velocity > 0 and message.channel == 7
    ]
    assert len(pitches) == 15  # root and fifth in seven bars, and the last bar's root
    assert all(36 <= pitch < 36 + 12 + 7 for pitch in pitches)
    assert re.search(r"^slow-bass .*playing$", outputs[3], re.MULTILINE)
