"""Compose and render the same pieces at two commits and compare every MIDI event.

`python -m kelly_live.lab.same_notes BEFORE [AFTER]` checks out BEFORE (and AFTER; default: the working tree) in a
temporary git worktree, runs `kelly-live compose` and `kelly-live render` there, and compares the files event by event
at absolute ticks. Time and key signatures and texts are left out: they are notation, not sound.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

EMOTIONS = ("happy", "sad", "angry", "fearful", "surprised", "disgusted", "neutral", "excited")
PRESETS = ("band", "solo-piano", "strings", "ambient", "minimal")
CULTURES = (
    None, "irish-traditional", "turkish-makam", "hindustani", "klezmer", "swedish-polska", "javanese-gamelan",
    "jazz-swing",
)  # fmt: skip
PIECES = 40
NOTATION = ("time_signature", "key_signature", "text", "track_name", "copyright", "end_of_track", "marker")


def list_pieces(count: int = PIECES) -> list[list[str]]:
    """List the arguments of each piece: seeds x presets x cultures x emotions.

    Each value is used about equally often.
    """
    pieces = []
    for i in range(count):
        culture = CULTURES[i % len(CULTURES)]
        arguments = ["compose", "--seed", str(100 + i), "--emotion", EMOTIONS[(i + i // 8) % len(EMOTIONS)]]
        arguments += ["--preset", PRESETS[i % len(PRESETS)], "--bars", "16", "--profile", "none", "--device", "cpu"]
        arguments += ["--culture", culture] if culture is not None else []
        if i % 4 == 3:
            arguments += ["--morph-to", EMOTIONS[(i + 3) % len(EMOTIONS)]]
        pieces.append(arguments)
    return pieces


def digest_events(midi_file: Path) -> str:
    """Hash every event of a MIDI file with its absolute tick, track by track.

    What follows the last note of a track is left out: it puts a synthesiser back and makes no sound.
    """
    import mido

    events = hashlib.sha256()
    for number, track in enumerate(mido.MidiFile(midi_file).tracks):
        notes = [i for i, message in enumerate(track) if message.type in ("note_on", "note_off")]
        tick = 0
        for message in track[: notes[-1] + 1] if notes else track:
            tick += message.time
            if message.type not in NOTATION:
                events.update(f"{number} {tick} {message.copy(time=0)}\n".encode())
    return events.hexdigest()


def write_metadata(checkout: Path, folder: Path) -> None:
    """Write what an installer would write of a checkout: its name and entry points, which name its own players.

    Found before those of the installed version where `folder` comes first on the path.
    """
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = folder / "kelly_live-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n", encoding="utf-8"
    )
    lines = []
    for group, entries in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def digest_commit(checkout: Path, *, pieces: Sequence[list[str]]) -> dict[str, str]:
    """Compose every piece and render the demo recording with the code of one checkout; digests by piece."""
    digests = {}
    with tempfile.TemporaryDirectory() as folder:
        write_metadata(checkout, Path(folder))
        environment = {**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"}
        midi = Path(folder) / "piece.mid"
        recording = checkout / "presets" / "demo" / "recording.ogg"
        render = ["render", str(recording), "--seed", "7", "--profile", "none", "--device", "cpu"]
        for arguments in (*pieces, render):
            command = [sys.executable, "-P", "-m", "kelly_live", *arguments, "--midi", str(midi)]
            result = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
            if "is silent" in result.stderr:
                raise SystemExit(f"a player of {checkout} did not load: {result.stderr.splitlines()[0]}")
            name = " ".join(arguments).replace(str(checkout), "")
            digests[name] = digest_events(midi)
            midi.unlink()
    return digests


@contextlib.contextmanager
def check_out(commit: str) -> Iterator[Path]:
    """Check a commit out in a temporary worktree."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        subprocess.run(["git", "worktree", "add", "--detach", str(checkout), commit], check=True, capture_output=True)
        try:
            yield checkout
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(checkout)], check=True, capture_output=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print which pieces differ; 0 if none does."""
    parser = argparse.ArgumentParser(prog="kelly_live.lab.same_notes", description=__doc__)
    parser.add_argument("before", help="a commit, or a JSON file that --save wrote")
    parser.add_argument("after", nargs="?", help="another commit [default: the working tree]")
    parser.add_argument("--pieces", type=int, default=PIECES, metavar="N", help="how many pieces [default: 40]")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the digests of AFTER")
    options = parser.parse_args(arguments)
    pieces = list_pieces(options.pieces)
    if options.before.endswith(".json"):
        before = json.loads(Path(options.before).read_text())
    else:
        with check_out(options.before) as checkout:
            before = digest_commit(checkout, pieces=pieces)
    if options.after is None:
        after = digest_commit(Path.cwd(), pieces=pieces)
    else:
        with check_out(options.after) as checkout:
            after = digest_commit(checkout, pieces=pieces)
    if options.save is not None:
        options.save.write_text(json.dumps(after, indent=1))
    different = [name for name, digest in after.items() if before.get(name) != digest]
    for name in different:
        print(f"differs: {name}")
    print(f"{len(after) - len(different)} of {len(after)} pieces are identical")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
