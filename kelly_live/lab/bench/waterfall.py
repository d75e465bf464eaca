"""The waterfall: how long before it sounds a note is shown, how much of what was shown is played, and what that costs.

The band plays each feeling in virtual time, stepped as the play thread steps it, while somebody looks and nothing
changes. Every note that was ever shown counts, also one that another picture replaced before it sounded.
"""

from __future__ import annotations

import itertools
import json
import time
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kelly_live.core.termination import temporary_folder
from kelly_live.core.timebase import read_clock
from kelly_live.core.values import EMOTIONS, MusicParameters
from kelly_live.engine.session import CONDUCTOR_STEP_SECONDS
from kelly_live.lab.bench.hops import repeat_recording
from kelly_live.lab.bench.playing import create_engine, find_page_link
from kelly_live.workers.realtime import freeze_gc

SEEDS = (7101, 7102, 7103)  # nothing was chosen on them
BARS = 32
PRESETS = ("band", "solo-piano")
SAME_BEATS = 0.02  # 10 ms at 120 BPM
FIRST_BARS = 2  # after somebody began to look: they are shown as they come


@dataclass(slots=True)
class WaterfallTally:
    """What was shown, with the bars from its first sight to its onset, and what was played: by part and pitch."""

    shown: dict[tuple[str, int], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    played: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def show(self, beat: float, beats_per_bar: int, notes: Iterable[tuple[float, int, str]]) -> None:
        """Take what is shown at a beat: onset, pitch and part of each note."""
        for onset, pitch, part in notes:
            known = self.shown[part, pitch]
            if _find_lead(known, onset) is None:
                insort(known, (onset, (onset - beat) / beats_per_bar))

    def play(self, onset: float, pitch: int, part: str) -> None:
        """Take a note that is played."""
        insort(self.played[part, pitch], onset)

    def compute_share(self, until_beat: float) -> float:
        """Compute which share of the notes shown for the time before a beat was played."""
        due = [
            _holds(self.played[key], onset)
            for key, notes in self.shown.items()
            for onset, _ in notes
            if onset < until_beat
        ]
        return sum(due) / len(due) if due else 0.0

    def list_leads(self, from_beat: float) -> list[float]:
        """List how many bars before its onset each played note was first shown; 0 for one that never was."""
        return [
            _find_lead(self.shown.get(key, ()), onset) or 0.0
            for key, onsets in self.played.items()
            for onset in onsets
            if onset >= from_beat
        ]


def _find_lead(known: Sequence[tuple[float, float]], onset: float) -> float | None:
    """Find in sorted onsets and leads the lead of an onset; None if it is not there."""
    place = bisect_left(known, (onset - SAME_BEATS, -1.0))
    return known[place][1] if place < len(known) and known[place][0] <= onset + SAME_BEATS else None


def _holds(onsets: Sequence[float], onset: float) -> bool:
    place = bisect_left(onsets, onset - SAME_BEATS)
    return place < len(onsets) and onsets[place] <= onset + SAME_BEATS


def measure_messages(messages: Iterable[tuple[float, Mapping[str, Any]]]) -> tuple[float, list[float]]:
    """Measure what the page's socket told, each message with when it came (s).

    Returns the share of the notes shown that were played, and for each played note the bars that it was shown before.
    """
    tally, music, came, first_beat = WaterfallTally(), None, 0.0, None
    for seconds, message in messages:
        match message["type"]:
            case "state":
                music, came = message["music"], seconds
            case "coming" if music is not None:
                beat, per_bar = music["beat"] + (seconds - came) * music["bpm"] / 60.0, music["beats_per_bar"]
                first_beat = beat + FIRST_BARS * per_bar if first_beat is None else first_beat
                tally.show(beat, per_bar, ((one[0], one[2], one[4]) for one in message["notes"]))
            case "notes" if music is not None:
                for onset, _, pitch, _, part in message["notes"]:
                    tally.play(onset, pitch, part)
    if music is None or first_beat is None:
        return 0.0, []
    return tally.compute_share(music["beat"]), tally.list_leads(first_beat)


def measure_session(recording: Path, device: str, seconds: float, *, freeze: bool) -> tuple[float, list[float]]:
    """Play along with a recording and measure what the page's socket tells, as `measure_messages` does.

    `freeze`: the feeling stays neutral. Raises KellyError.
    """
    with (
        temporary_folder() as folder,
        repeat_recording(recording, seconds + 60.0) as longer,
        create_engine(longer, Path(folder) / "trace", device, freeze=freeze, with_page=True) as engine,
    ):
        return measure_messages(record_messages(find_page_link(engine, may_act=False), seconds))


def record_messages(address: str, seconds: float) -> list[tuple[float, dict[str, Any]]]:
    """Return the messages of the page's socket for so many seconds, each with when it came (seconds of read_clock)."""
    from websockets.sync.client import connect

    parts, messages, end = urlsplit(address), list[tuple[float, dict[str, Any]]](), read_clock() + seconds
    with connect(f"ws://{parts.netloc}/api?{parts.query}") as socket:
        while (left := end - read_clock()) > 0.0:
            with suppress(TimeoutError):
                text = socket.recv(timeout=left)
                messages.append((read_clock(), json.loads(text)))
    return messages


@dataclass(slots=True)
class WaterfallRun:
    """A preset in all feelings and seeds: a share of each piece, leads in bars, and the thread's times in seconds."""

    shares: list[float] = field(default_factory=list)
    leads: list[float] = field(default_factory=list)
    own_seconds: list[float] = field(default_factory=list)  # the conductor's steps
    preview_seconds: list[float] = field(default_factory=list)  # the steps that look ahead
    music_seconds: float = 0.0


def measure_waterfall(preset: str, stopwatch: Callable[[], float] = time.thread_time) -> WaterfallRun:
    """Play every feeling with every seed, and look ahead. Raises KellyError.

    The first piece only warms up; then the garbage collector is frozen, as a live session does.
    """
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.build import create_mapper

    mapper, run = create_mapper(), WaterfallRun()
    _play(preset, mapper(create_state()), SEEDS[0], WaterfallRun(), stopwatch)
    freeze_gc()
    for emotion in EMOTIONS:
        parameters = mapper(create_state(emotion=emotion))
        for seed in SEEDS:
            _play(preset, parameters, seed, run, stopwatch)
    return run


def _play(
    preset: str, parameters: MusicParameters, seed: int, run: WaterfallRun, stopwatch: Callable[[], float]
) -> None:
    from kelly_live.engine.build import build_band, create_conductor
    from kelly_live.engine.coming_bars import ComingBarsPreview
    from kelly_live.engine.options.host import HostOptions
    from kelly_live.midi.offline import NoteList

    sink, tally = NoteList(), WaterfallTally()
    conductor = create_conductor(sink, seed=seed, host=build_band(HostOptions(presets=(preset,)), live=True), live=True)
    preview, coming = ComingBarsPreview(conductor), None
    conductor.start(0.0, parameters)
    for step in itertools.count():
        now = step * CONDUCTOR_STEP_SECONDS
        began = stopwatch()
        conductor.advance(now, parameters)
        played = stopwatch()
        preview.step(parameters)
        run.preview_seconds.append(stopwatch() - played)
        run.own_seconds.append(played - began)
        status = conductor.status()
        if preview.coming is not None and preview.coming is not coming:
            coming = preview.coming
            tally.show(status.beat, status.beats_per_bar, ((n.onset_beats, n.pitch, n.part) for n in coming.notes))
        if status.bar >= BARS:
            break
    for note in sink.notes:
        tally.play(note.onset_beats, note.pitch, note.part)
    run.shares.append(tally.compute_share(status.bars * status.beats_per_bar))
    run.leads += tally.list_leads(float(FIRST_BARS * status.beats_per_bar))
    run.music_seconds += now
