"""Accompany a recording: the live path on a file, faster than real time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kelly_live.core.memory import check_memory
from kelly_live.core.wording import escape, plural
from kelly_live.engine.build import (
    Notify,
    build_band,
    create_beat_tracker,
    create_conductor,
    create_override_stage,
    load_emotion_reader,
    load_profile,
    log_notice,
    report_faults,
)
from kelly_live.sync import COUNT_IN_RULE

if TYPE_CHECKING:
    from kelly_live.core.protocols import EmotionReader
    from kelly_live.engine.options.commands import RenderOptions
    from kelly_live.engine.performance import Performance
    from kelly_live.music.conductor import Conductor


class ProgressView(Protocol):
    """Shows how many seconds of the recording are done."""

    def update(self, amount: float) -> None:
        """Show `amount` seconds."""


class _NoProgress:
    def update(self, amount: float) -> None:
        """Show nothing."""


def hide_progress(total: float) -> AbstractContextManager[ProgressView]:
    """Show no progress; the default of every `progress` argument."""
    return nullcontext(_NoProgress())


@dataclass(frozen=True, slots=True)
class Accompaniment:
    """The music to a recording, and how it went.

    `speed`: in multiples of real time, of listening and playing. `notes`: what the user should know, a line each.
    """

    performance: Performance
    speed: float
    notes: tuple[str, ...]

    def describe(self) -> list[str]:
        """Say how long and how fast it was, and what the user should know, one line each."""
        return [
            f"{self.performance.end_seconds:.1f} s of music, made at {self.speed:.0f} x real time",
            *self.notes,
        ]


def accompany_recording(
    recording: Path,
    options: RenderOptions,
    notify: Notify = log_notice,
    progress: Callable[[float], AbstractContextManager[ProgressView]] = hide_progress,
    *,
    reader: EmotionReader | None = None,
) -> Accompaniment:
    """Play along with a recording (WAV, FLAC, OGG/Opus, MP3), or with the notes of a MIDI file.

    Same input, seed and version give the same bytes. `progress` is given the duration in seconds and returns a context
    manager. `reader`: one that is loaded already, in the place of what `options` name. Raises KellyError.
    """
    check_memory()
    from kelly_live.engine.model_choice import play_with_models

    with play_with_models(options.models, notify):
        return _accompany_recording(recording, options, notify, progress, reader)


def _accompany_recording(
    recording: Path,
    options: RenderOptions,
    notify: Notify,
    progress: Callable[[float], AbstractContextManager[ProgressView]],
    reader: EmotionReader | None,
) -> Accompaniment:
    from kelly_live.core.timebase import ManualClock, read_clock
    from kelly_live.emotion.read_ahead import read_ahead
    from kelly_live.engine.audio_input import open_recording
    from kelly_live.engine.expression_conflicts import report_sent_twice
    from kelly_live.engine.external_io import create_controller_output
    from kelly_live.engine.limits_watch import choose_file_limits, report_limited
    from kelly_live.engine.offline import accompany
    from kelly_live.engine.record import insert_tee, start_recorder
    from kelly_live.midi.offline import OfflineScheduler

    profile = load_profile(options.profile, notify)
    band = build_band(options.host.with_profile(profile), options.culture, profile, notify=notify)
    source = open_recording(recording, options.sound)
    source.start()  # a file that cannot be read is reported before the nets are loaded
    limits = choose_file_limits(options.limits, profile)
    override, tuning = options.override.build_override(), options.tuning.build_tuning()
    stage = create_override_stage(
        override,
        options.culture,
        profile,
        notify,
        constraints=options.piece.build_constraints(),
        arousal_rise=limits.arousal_rise,
        goal=options.iso.build_goal(),
    )
    if reader is None:
        reader = load_emotion_reader(options.device, notify, reader_name=options.reader)
    reader.reset()
    scheduler = OfflineScheduler()
    sink = insert_tee(options.recording, scheduler)
    silent_before = band.muted
    conductor = create_conductor(
        sink,
        seed=options.seed,
        piece=options.piece,
        silence=options.silence,
        role=options.band_role,
        host=band,
        expression=options.expression,
        tempo_rise=limits.tempo_rise,
        notify=notify,
    )
    scheduler.send(tuning.with_programs(conductor.slots))
    scheduler.send(loudness_limits := limits.build_loudness_limits(0))
    if options.expression:
        report_sent_twice(options.controllers, conductor.slots, notify)
    title = f"Kelly Live: {escape(recording.stem)}"
    recorder = start_recorder(
        options,
        sink,
        conductor,
        ManualClock(),
        seed=options.seed,
        band=band,
        tuning=tuning,
        profile=profile,
        limits=loudness_limits,
        tempo_rise=limits.tempo_rise,
        live=False,
        title=title,
    )
    start_time = read_clock()
    with progress(source.duration_seconds or 0.0) as bar:
        performance = accompany(
            *read_ahead(source, reader),
            stage,
            conductor,
            scheduler,
            bar.update,
            recorder,
            create_beat_tracker(options.follow, conductor, count_in=options.count_in),
            create_controller_output(options.controllers, sink),
        ).with_title(title)
    took = read_clock() - start_time
    report_faults(band, notify, silent_before)
    report_limited(performance, notify)
    band.close()
    notes = []
    if source.damage:
        notes.append(f"note: {recording}: {source.damage}; what could be read was used")
    if source.replaced_samples:
        notes.append(f"note: {recording}: {plural(source.replaced_samples, 'invalid sample')} replaced by silence")
    if options.count_in:
        notes.append(f"note: {recording}: {_describe_count_in(conductor, performance)}")
    notes += recorder.close() if recorder is not None else []
    return Accompaniment(performance, performance.readings[-1].state.time / max(took, 1e-9), tuple(notes))


def _describe_count_in(conductor: Conductor, performance: Performance) -> str:
    """Say where the band was counted in, or that it was not."""
    if conductor.status().is_stopped:
        return f"no count-in was heard, so the band never entered; it waits for {COUNT_IN_RULE}"
    start = performance.tempo_map
    return (
        f"counted in at {start.points()[0].bpm:.0f} BPM: the band enters at {start.seconds_at(0.0):.2f} s, "
        "where its MIDI file begins"
    )
