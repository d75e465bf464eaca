"""What a generator of another package costs: its processes' time and memory, and how soon it is back.

The figures are read from /proc, so only Linux has them.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.timebase import read_clock
from kelly_live.generators.conformance import make_context, make_parameters
from kelly_live.generators.external_generator import ExternalGenerator
from kelly_live.generators.parameter import resolve_values
from kelly_live.generators.plugin_process import PluginCommand
from kelly_live.lab.bench.processes import check_process_times, list_family, read_cpu_seconds

BPM = 120.0
BAR_SECONDS = 4 * 60.0 / BPM
_PHRASES = 25
_IDLE_SECONDS = 4.0
_PARAMETERS = make_parameters(bpm=BPM, density=1.0)


@dataclass(frozen=True, slots=True)
class PluginCost:
    """What one generator costs at 120 BPM.

    `share` is of one core, its launcher's included; `host_share` is this process's for it. `memory_bytes` counts what
    it has in common with other processes in proportion. `return_seconds` is from its start to its first bar.
    """

    name: str
    share: float
    host_share: float
    memory_bytes: int
    return_seconds: float


def measure_plugin(
    name: str, command: PluginCommand, *, phrases: int = _PHRASES, idle_seconds: float = _IDLE_SECONDS
) -> PluginCost:
    """Measure one generator or note effect; raises ConfigError where the system does not say, PlayerFault if it fails.

    It is asked for phrases of four bars at once, and then left alone, as between the bars of a session.
    """
    check_process_times()
    with closing(ExternalGenerator(command)) as external:
        began = read_clock()
        _play(external, phrases=1, bars=1)
        return_seconds = read_clock() - began
        processes = list_family(external.process_id)
        before, own_before = read_cpu_seconds(processes), time.process_time()
        _play(external, phrases=phrases, bars=4)
        played, own = read_cpu_seconds(processes) - before, time.process_time() - own_before
        before = read_cpu_seconds(processes)
        time.sleep(idle_seconds)
        idle = read_cpu_seconds(processes) - before
        memory = sum(_read_proportional_bytes(process) for process in processes)
    music_seconds = 4 * phrases * BAR_SECONDS
    return PluginCost(name, played / music_seconds + idle / idle_seconds, own / music_seconds, memory, return_seconds)


def _play(external: ExternalGenerator, *, phrases: int, bars: int) -> None:
    generator = external.make()
    values = resolve_values(external.descriptor.parameters, {})
    configure = getattr(generator, "configure", None)
    if values and configure is not None:
        configure(values)
    generator.reset()
    for phrase in range(phrases):
        context = make_context(phrase=phrase, bpm=BPM)
        for bar in range(bars):
            start = context.phrase.start_beat + 4.0 * bar
            generator.generate(_PARAMETERS, context, start, start + 4.0)


def _read_proportional_bytes(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
