"""`kelly-live setup`: choose the ports once, hear a note, see the level, measure the latency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from kelly_live.core.errors import AudioError, KellyError
from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line

if TYPE_CHECKING:
    from kelly_live.engine.level_meter import Level

METER_SECONDS = 4.0
_SPEED_TOPICS = ("nets", "clock", "real time")
_KEEP = 0  # the number of the answer that changes nothing


@click.command(cls=CheckedCommand)
@debug_option
def command() -> None:
    """Choose MIDI output and audio input once for all: a few questions, each with a test.

    The answers are kept as `kelly-live config set` keeps them. Enter takes the answer in brackets. At the end it looks
    at real-time rights, the nets' device and what else a session needs.
    """
    output = _choose_output()
    audio_in = _choose_input()
    if output is not None:
        _offer_latency(output, audio_in)
    begin = "mend what is marked !!, and" if _print_findings() else "ready:"
    print_line(f"{begin} `kelly-live` plays along; `kelly-live config show` lists what is kept")


def _choose_output() -> str | None:
    """Ask for a MIDI output until its notes were heard; returns its name, None for the virtual port."""
    from kelly_live.engine.options.completions import list_midi_outputs

    def is_heard(name: str) -> bool:
        _play(name)
        if click.confirm("  did you hear four notes and a chord?", default=True):
            return True
        print_line("  the synth must listen to this port, on channel 1; choose again")
        return False

    return _choose(
        "midi-out",
        "MIDI output: where is your synth or DAW?",
        list_midi_outputs,
        "a virtual port that your DAW connects to",
        is_heard,
    )


def _play(name: str) -> None:
    from kelly_live.core.commands import Stop
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.output_check import play_test_notes
    from kelly_live.midi.scheduler_client import SchedulerClient

    sink = SchedulerClient(name)
    try:
        sink.open()
        play_test_notes(sink, MonotonicClock())
    finally:
        sink.send(Stop())


def _choose_input() -> str | None:
    """Ask for an audio input until its level is accepted; returns its name, None for the system's."""
    from kelly_live.engine.options.completions import list_audio_inputs

    def is_accepted(name: str) -> bool:
        return click.confirm("  keep this input?", default=_meter(name).is_heard)

    try:
        return _choose(
            "audio-in",
            "Audio input: where do you play or sing?",
            list_audio_inputs,
            "the system's own choice",
            is_accepted,
        )
    except AudioError as error:  # there is no way to list them
        print_line(f"Audio input: {error}")
        return None


def _meter(name: str) -> Level:
    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.level_meter import measure_level

    clock = MonotonicClock()
    source = SupervisedSource(name, clock)
    try:
        source.open()
        print_line(f"  play or sing as loud as you will, {METER_SECONDS:.0f} s …")
        level = measure_level(source, clock, METER_SECONDS)
    finally:
        source.close()
    print_line(f"  {level.describe()}")
    return level


def _offer_latency(output: str, audio_in: str | None) -> None:
    if not click.confirm("Latency: can this input hear your synth now? Then it is measured", default=False):
        return
    from kelly_live.cli.latency import command as latency

    try:
        chosen_input = [] if audio_in is None else ["--audio-in", audio_in]
        latency.main(["--midi-out", output, *chosen_input, "--store"], prog_name="latency", standalone_mode=False)
    except KellyError as error:
        print_line(f"  {error}")


def _print_findings() -> bool:
    """Say what does not work on this machine, how fast it is, and return whether there is a fault."""
    from kelly_live.engine.diagnosis import diagnose

    findings = [finding for finding in diagnose() if finding.is_fault or finding.topic in _SPEED_TOPICS]
    for finding in findings:
        print_line(finding.describe())
    return any(finding.is_fault for finding in findings)


def _choose(
    setting: str, question: str, list_names: Callable[[], list[str]], otherwise: str, passes: Callable[[str], bool]
) -> str | None:
    """Ask until a name passes its test, and keep it as this setting; None for what there is otherwise."""
    while True:
        names = list_names()
        number = _ask(question, names, otherwise)
        name = None if number == _KEEP else names[number - 1]
        try:
            if name is None or passes(name):
                _store(setting, name)
                return name
        except KellyError as error:
            print_line(f"  {error}")


def _ask(question: str, names: Sequence[str], otherwise: str) -> int:
    print_line(question)
    for number, name in enumerate([otherwise, *names]):
        print_line(f"  {number}  {name}")
    return click.prompt("  number", type=click.IntRange(0, len(names)), default=1 if names else _KEEP)


def _store(name: str, value: str | None) -> None:
    from kelly_live.engine.options.config_file import store_setting

    file = store_setting(name, value)
    print_line(f"  kept in {file}")
