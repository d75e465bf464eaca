"""`kelly-live replay LOG`: play a session again from its log, as the same MIDI to the byte."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.core.wording import plural
from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FILE,
    CheckedCommand,
    debug_option,
    print_line,
    print_notice,
)


@click.command(cls=CheckedCommand)
@click.argument("log", type=INPUT_FILE)
@click.option("--midi", type=OUTPUT_FILE, help="The MIDI file to write [default: none, only compare].")
@click.option("--wav", type=OUTPUT_FILE, help="Also write a WAV, with the built-in synthesiser.")
@debug_option
def command(log: Path, midi: Path | None, wav: Path | None) -> None:
    """Play a LOG of --record or --log again: the same MIDI to the byte.

    It works after a crash too, up to its last second. The notes are compared with the log's checksums. If they differ
    (another version, another plug-in), the command says from which line on, writes what this version plays, and exits
    with 1.
    """
    from kelly_live import __version__
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.core.errors import ConfigError
    from kelly_live.engine.build import check_outputs
    from kelly_live.engine.replay import replay_log

    check_outputs([midi, wav])
    again = replay_log(log, print_notice)
    header = again.header
    torn_note = "; the log breaks off there" if again.is_torn else ""
    print_line(
        f"seed {header.seed}, preset {header.preset}, made {header.created} by version {header.version}: "
        f"{plural(again.notes, 'note')} in {again.seconds:.1f} s{torn_note}"
    )
    if again.part is not None:
        print_line(f"the recording is {again.describe_part()} of it: {plural(again.take.count_notes(), 'note')}")
    if midi is not None:
        write_atomically(midi, again.midi, private=True)
        print_line(f"wrote {midi}")
    if wav is not None:
        from kelly_live.audio.synth import SAMPLE_RATE, render, write_wav
        from kelly_live.midi.files import find_sounding_notes

        programs = {part.channel: part.program for part in header.parts if part.port == ""}
        write_wav(wav, render(find_sounding_notes(again.take.messages(), programs), programs), SAMPLE_RATE)
        print_line(f"wrote {wav}")
    if again.differs_at is not None:
        other = f" (made by version {header.version}, this is {__version__})" if header.version != __version__ else ""
        raise ConfigError(
            f"{log} line {again.differs_at}: from here on at the latest the notes are not the recorded ones{other}; "
            "replay with the version, plug-ins and presets that played it"
        )
    print_line(f"compared {again.compared_notes} of {plural(again.notes, 'note')}: the same")
