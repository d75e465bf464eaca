"""What this machine offers a session, as a report that can be passed on: no path of a home, no name unless asked."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kelly_live import __version__
from kelly_live.core.errors import KellyError
from kelly_live.core.timebase import choose_clock
from kelly_live.core.wording import plural

_LARGEST_TICK_SECONDS = 0.002  # a clock that ticks slower makes notes late


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `is_fault`: something does not work, and `text` ends with what to do."""

    topic: str
    text: str
    is_fault: bool = False

    def describe(self) -> str:
        """Return it as a line that begins with `ok` or, to be mended, with `!!`."""
        return f"{'!!' if self.is_fault else 'ok'}  {self.topic + ':':<11}{self.text}"


def diagnose(*, with_names: bool = False) -> Iterator[Finding]:
    """Look at everything that a session needs, one finding at a time; `with_names`: name ports and inputs.

    A check that fails is a finding too: the others are made all the same.
    """
    for topic, check in _CHECKS.items():
        try:
            yield from (Finding(topic, text, is_fault) for text, is_fault in check(with_names))
        except KellyError as error:
            yield Finding(topic, _hide_home(str(error)), is_fault=True)
        except Exception as error:  # a driver's own failure is what the report is for
            yield Finding(topic, _hide_home(f"{type(error).__name__}: {error}"), is_fault=True)


Lines = Iterator[tuple[str, bool]]


def _check_program(with_names: bool) -> Lines:
    yield f"kelly-live {__version__}, Python {platform.python_version()} ({platform.python_implementation()})", False
    yield (
        f"{platform.system()} {platform.release()} on {platform.machine()}, {plural(os.cpu_count() or 1, 'core')}",
        False,
    )


def _check_nets(with_names: bool) -> Lines:
    from kelly_live.core.memory import check_memory
    from kelly_live.emotion.nets.device import describe_device

    check_memory()
    yield describe_device(), False


def _check_clock(with_names: bool) -> Lines:
    tick = time.get_clock_info(
        "monotonic" if choose_clock(sys.platform) is time.monotonic else "perf_counter"
    ).resolution
    is_slow = tick > _LARGEST_TICK_SECONDS
    remedy = "; notes will be that late: use Python 3.13 or newer" if is_slow else ""
    yield f"the clock ticks every {tick * 1e6:g} µs{remedy}", is_slow


def _check_realtime(with_names: bool) -> Lines:
    from kelly_live.workers.realtime import is_realtime_granted

    granted = is_realtime_granted()
    if granted is None:
        yield "not asked for on this system", False
    elif granted:
        yield "granted", False
    else:
        yield (
            (
                "not granted; on a crowded machine notes may be late: give your user `rtprio` (on Debian: install "
                "jackd, say yes, join the group audio)"
            ),
            True,
        )


def _check_midi(with_names: bool) -> Lines:
    from kelly_live.midi.backend_registry import load_backends
    from kelly_live.midi.inputs import list_inputs
    from kelly_live.midi.ports import list_outputs

    backend_sets = load_backends()
    runs = any(one.backends for one in backend_sets)
    for one in backend_sets:
        if one.problem is None and not runs:
            continue  # that none runs is said below
        names = ", ".join(backend.name for backend in one.backends) or "none runs here"
        is_needed = all(other.problem is not None for other in backend_sets)
        yield f"{one.name}: {one.problem or names}", one.problem is not None and is_needed
    if not runs:
        yield "no MIDI system runs here: start JACK or load ALSA's sequencer (`modprobe snd-seq`)", True
        return
    for kind, ports in (("output", list_outputs()), ("input", list_inputs())):
        yield _count(kind, [port.name for port in ports], with_names), False


def _check_audio(with_names: bool) -> Lines:
    from kelly_live.audio.devices import check_output, list_inputs, list_outputs, portaudio

    yield str(portaudio().get_portaudio_version()[1]).partition(",")[0], False
    inputs, outputs = list_inputs(), list_outputs()
    yield _count("input", [device.name for device in inputs], with_names), False
    if not inputs:
        yield "none can be heard: plug one in, or play with --play-in", True
    # An output is only needed where there is neither synth nor DAW.
    yield (
        _count("output", [device.name for device in outputs], with_names) + "; --sound needs one" * (not outputs),
        False,
    )
    if outputs:
        check_output()
        yield "the output can be opened", False


def _check_files(with_names: bool) -> Lines:
    from kelly_live.control.midi_map import load_bindings
    from kelly_live.engine.log_setup import find_log_file
    from kelly_live.engine.options.config_file import config_path, load_config
    from kelly_live.midi.latencies import load_latencies

    config = config_path()
    count = plural(len(load_config(config)), "setting") if config.exists() else "not there"
    yield f"config file {_hide_home(str(config))}: {count}", False
    yield f"{plural(len(load_bindings()), 'control')} learned", False
    yield f"latency measured of {plural(len(load_latencies()), 'output')}", False
    yield f"log {_hide_home(str(find_log_file()))}", False


def _count(kind: str, names: list[str], with_names: bool) -> str:
    text = plural(len(names), kind)
    return f"{text}: {', '.join(map(repr, names))}" if with_names and names else text


def _hide_home(text: str) -> str:
    return text.replace(str(Path.home()), "~")


_CHECKS: dict[str, Callable[[bool], Lines]] = {
    "program": _check_program,
    "nets": _check_nets,
    "clock": _check_clock,
    "real time": _check_realtime,
    "MIDI": _check_midi,
    "audio": _check_audio,
    "files": _check_files,
}
