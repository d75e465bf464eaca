"""What a session was, read from its log: the course of feeling, what was played, and who steered it.

It says what the program heard and did. It says nothing about the people who listened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

import msgspec

from kelly_live.core.commands import NO_LIMITS, LoudnessLimits
from kelly_live.core.values import SoundingNote
from kelly_live.midi.files import find_sounding_notes
from kelly_live.recording.log import LogReader
from kelly_live.recording.records import (
    ActionRecord,
    ChecksumRecord,
    ControlRecord,
    CounterRecord,
    EmotionRecord,
    Feeling,
    FeelingRecord,
    Header,
    IsoRecord,
    LimitsRecord,
    MuteRecord,
    PanicRecord,
    Part,
    PresetRecord,
    Record,
    StartRecord,
    StepRecord,
    StopRecord,
    TakeRecord,
)
from kelly_live.recording.tape import Tape

FORMAT = 1
MAX_MOMENTS = 1000  # of one source; a fader makes hundreds a minute, and all of them are counted
_SHORTEST_STEP = 0.95  # s between two points of a course
_DIGITS = 2  # of seconds
_MOST_PHASES = 8  # of an iso session, in a line


class _Timed(Protocol):
    @property
    def seconds(self) -> float: ...


T = TypeVar("T", bound=_Timed)


class FeelingPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was heard (None: nothing new, or not recorded) and what was played, at `seconds`."""

    seconds: float
    played: Feeling
    heard: Feeling | None = None


class Moment(msgspec.Struct, frozen=True):
    """Something that began at `seconds`: a preset, key, chord, panic or fault, in words."""

    seconds: float
    text: str


class TempoMoment(msgspec.Struct, frozen=True):
    """The tempo from `seconds` on."""

    seconds: float
    bpm: float


class SteeringMoment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action at `seconds`, in `bar` (from 0)."""

    seconds: float
    bar: int
    action: str
    value: str | None = None


class Steering(msgspec.Struct, frozen=True):
    """What one source ("key", "midi", "osc", "page", "cue") did: `count` actions, the first MAX_MOMENTS in full."""

    source: str
    count: int
    actions: dict[str, int]
    moments: tuple[SteeringMoment, ...]


class PartReport(msgspec.Struct, frozen=True):
    """What a player played: notes in all and in each minute, and the loudest velocity (1-127)."""

    name: str
    notes: int
    notes_by_minute: tuple[int, ...]
    loudest_velocity: int


class LimitsReport(msgspec.Struct, frozen=True):
    """The limits at the start, and how many notes they held.

    `tempo_rise` is in BPM a minute. `limited_notes` None: it was not recorded. `changes`: when they changed, and to
    what.
    """

    loudness: LoudnessLimits
    tempo_rise: float | None
    limited_notes: int | None
    changes: tuple[tuple[float, LoudnessLimits], ...]


class FaultReport(msgspec.Struct, frozen=True):
    """What was lost: counts as in CounterRecord, players that failed, and what is wrong with the log."""

    dropped_notes: int
    late_messages: int
    lost_windows: int
    overflows: int
    skipped_beats: float
    players: tuple[Moment, ...]
    log: str | None


class SessionReport(msgspec.Struct, frozen=True):
    """A session. All times are seconds from its start; courses have at most a point a second.

    `recording`: from when to when the log's recording is, if it began or ended while the session played.
    `heard_shares` and `played_shares`: of the points, by emotion. `followed`: the share of the points at which the band
    took its tempo, key, chords or dynamics from the player. `options`: what was chosen before the first note.
    `iso`: when it met what was heard, led it to a goal, waited on the way, and was there.
    """

    format: int
    version: str
    created: str
    title: str
    seed: int
    seconds: float
    recording: tuple[float, float] | None
    profile: str | None
    culture: str | None
    models: str | None
    options: dict[str, str]
    presets: tuple[Moment, ...]
    course: tuple[FeelingPoint, ...]
    heard_shares: dict[str, float]
    played_shares: dict[str, float]
    tempo: tuple[TempoMoment, ...]
    keys: tuple[Moment, ...]
    chords: tuple[Moment, ...]
    followed: dict[str, float]
    notes: int
    loudest_velocity: int
    parts: tuple[PartReport, ...]
    steering: tuple[Steering, ...]
    iso: tuple[Moment, ...]
    panics: tuple[float, ...]
    limits: LimitsReport
    faults: FaultReport


def create_report(reader: LogReader, tape: Tape, problem: str | None = None) -> SessionReport:
    """Return the report of a log, of which nothing was read yet, and of what was played.

    `problem`: what is known to be wrong with the log. Raises ConfigError naming file and line.
    """
    records, last = list[Record](), 0.0
    for record in reader.records():
        last = max(last, record.time)
        if not isinstance(record, StepRecord | ControlRecord | ChecksumRecord):  # most of a log; the tape has them
            records.append(record)
    start = next((record.time for record in records if isinstance(record, StartRecord)), None)
    if start is None:
        reader.fail("the log ends before the music starts; there is nothing to report")
    if not any(
        isinstance(record, StopRecord) or (isinstance(record, TakeRecord) and record.end_seconds is not None)
        for record in records
    ):
        problem = problem or "it breaks off before the end"
    return _ReportBuilder(reader.header, records, tape, start, last).build(problem)


class _ReportBuilder:
    def __init__(self, header: Header, records: Sequence[Record], tape: Tape, start: float, last: float) -> None:
        self._header, self._records, self._tape, self._start = header, records, tape, start
        self._seconds = self._clip(last)

    def build(self, problem: str | None) -> SessionReport:
        header, points = self._header, self._list_points()
        feelings = [record for record in self._records if isinstance(record, FeelingRecord)]
        parts = self._list_parts()
        return SessionReport(
            format=FORMAT,
            version=header.version,
            created=header.created,
            title=header.title,
            seed=header.seed,
            seconds=self._seconds,
            recording=self._find_recording(),
            profile=header.profile,
            culture=header.culture,
            models=header.models,
            options=dict(header.options),
            presets=(
                Moment(0.0, header.preset),
                *(Moment(self._at(one), one.name) for one in self._records if isinstance(one, PresetRecord)),
            ),
            course=points,
            heard_shares=_share(point.heard.emotion for point in points if point.heard is not None),
            played_shares=_share(point.played.emotion for point in points),
            tempo=self._list_tempos(),
            keys=self._list_changes((one, f"{one.tonic} {one.mode}") for one in feelings if one.mode),
            chords=self._list_changes((one, one.chord) for one in feelings if one.chord),
            followed=_share((name for one in feelings for name in one.synchronized), len(feelings)),
            notes=sum(part.notes for part in parts),
            loudest_velocity=max((part.loudest_velocity for part in parts), default=0),
            parts=parts,
            steering=self._list_steering(),
            iso=tuple(Moment(self._at(one), one.phase) for one in self._records if isinstance(one, IsoRecord)),
            panics=tuple(self._at(one) for one in self._records if isinstance(one, PanicRecord)),
            limits=self._describe_limits(),
            faults=self._list_faults(problem),
        )

    def _at(self, record: Record) -> float:
        """The seconds of a record from the start; what was done before it counts as then."""
        return self._clip(record.time)

    def _clip(self, time: float) -> float:
        return round(max(0.0, time - self._start), _DIGITS)

    def _find_recording(self) -> tuple[float, float] | None:
        takes = [record for record in self._records if isinstance(record, TakeRecord)]
        if not takes:
            return None
        start, end = takes[-1].start_seconds, takes[-1].end_seconds
        return (
            0.0 if start is None else self._clip(start),
            self._seconds if end is None else self._clip(end),
        )

    def _list_points(self) -> tuple[FeelingPoint, ...]:
        """The course of feeling; a log without one, as `render` writes it, has only what was played."""
        points = [
            FeelingPoint(self._at(one), one.played, one.heard)
            for one in self._records
            if isinstance(one, FeelingRecord)
        ] or [
            FeelingPoint(self._at(one), Feeling(one.emotion, one.valence, one.arousal, one.dominance))
            for one in self._records
            if isinstance(one, EmotionRecord)
        ]
        return tuple(_thin(points))

    def _list_tempos(self) -> tuple[TempoMoment, ...]:
        curve = self._tape.tempo_map
        moments = (TempoMoment(self._clip(curve.seconds_at(p.beat)), round(p.bpm, 1)) for p in curve.points())
        changes = (next(run) for _, run in groupby(moments, key=lambda moment: moment.bpm))
        return tuple(_thin(list(changes)))

    def _list_changes(self, values: Iterable[tuple[FeelingRecord, str]]) -> tuple[Moment, ...]:
        runs = (next(run) for _, run in groupby(values, key=lambda pair: pair[1]))
        return tuple(Moment(self._at(record), text) for record, text in runs)

    def _list_parts(self) -> tuple[PartReport, ...]:
        minutes = int(self._seconds // 60.0) + 1
        counts: dict[str, list[int]] = {}
        loudest: dict[str, int] = {}
        for name, note in self._list_notes():
            minute = min(int(self._clip(note.start_seconds) // 60.0), minutes - 1)
            counts.setdefault(name, [0] * minutes)[minute] += 1
            loudest[name] = max(loudest.get(name, 0), note.velocity)
        return tuple(PartReport(name, sum(by), tuple(by), loudest[name]) for name, by in counts.items())

    def _list_notes(self) -> Iterator[tuple[str, SoundingNote]]:
        """List what sounded, with the name of who played on its port and channel then."""
        bands = [(self._start, self._header.parts)]
        bands += [(one.time, one.parts) for one in self._records if isinstance(one, PresetRecord)]
        everyone = [part for _, parts in bands for part in parts]
        for port in self._tape.ports:
            programs = {part.channel: part.program for part in reversed(everyone) if part.port == port}
            for note in find_sounding_notes(self._tape.messages(port), programs):
                yield _name_part(bands, port, note), note

    def _list_steering(self) -> tuple[Steering, ...]:
        actions: dict[str, list[ActionRecord]] = {}
        for record in self._records:
            if isinstance(record, ActionRecord):
                actions.setdefault(record.source, []).append(record)
        return tuple(
            Steering(
                source,
                len(done),
                dict(Counter(one.name for one in done).most_common()),
                tuple(SteeringMoment(self._at(one), one.bar, one.name, one.value) for one in done[:MAX_MOMENTS]),
            )
            for source, done in actions.items()
        )

    def _describe_limits(self) -> LimitsReport:
        changes = tuple((self._at(one), one.limits) for one in self._records if isinstance(one, LimitsRecord))
        limited_notes = self._last_counters().limited if self._header.live else None  # a file's are not counted
        return LimitsReport(self._header.limits, self._header.tempo_rise, limited_notes, changes)

    def _last_counters(self) -> CounterRecord:
        nothing = CounterRecord(time=0.0, dropped=0, late=0, windows=0, overflows=0, skipped_beats=0.0)
        return next((one for one in reversed(self._records) if isinstance(one, CounterRecord)), nothing)

    def _list_faults(self, problem: str | None) -> FaultReport:
        last = self._last_counters()
        players = (one for one in self._records if isinstance(one, MuteRecord))
        return FaultReport(
            dropped_notes=last.dropped,
            late_messages=last.late,
            lost_windows=last.windows,
            overflows=last.overflows,
            skipped_beats=last.skipped_beats,
            players=tuple(Moment(self._at(one), f"{one.player}: {one.reason}") for one in players),
            log=problem,
        )


def describe_report(report: SessionReport) -> list[str]:
    """Say in a few lines what a report holds, for a person."""
    from kelly_live.core.numbers import format_time
    from kelly_live.core.wording import plural

    tempos = dict.fromkeys(f"{pick(moment.bpm for moment in report.tempo):.0f}" for pick in (min, max))
    lines = [
        f"{format_time(round(report.seconds))} min, {plural(report.notes, 'note')} "
        f"({', '.join(f'{part.name} {part.notes}' for part in report.parts) or 'nobody played'}), "
        f"{'–'.join(tempos)} BPM, loudest velocity {report.loudest_velocity}",
        f"heard: {_describe_shares(report.heard_shares)}; played: {_describe_shares(report.played_shares)}",
    ]
    if report.recording is not None:
        start, end = (format_time(round(seconds)) for seconds in report.recording)
        lines.insert(1, f"the recording is {start} to {end} of it")
    by_source = [f"{one.source} {one.count}" for one in report.steering]
    lines.append(f"steered by: {', '.join(by_source) or 'nobody while it played'}")
    if report.iso:
        moments = (f"{moment.text} from {format_time(round(moment.seconds))}" for moment in report.iso[:_MOST_PHASES])
        lines.append(f"iso: {', '.join(moments)}{', …' * (len(report.iso) > _MOST_PHASES)}")
    if report.followed:
        lines.append(f"taken from the player: {_describe_shares(report.followed)} of the time")
    limits = report.limits
    if limits.limited_notes is not None and (limits.loudness != NO_LIMITS or limits.limited_notes or limits.changes):
        lines.append(f"held to the limits: {plural(limits.limited_notes, 'note')}")
    counts = (
        (report.faults.dropped_notes, "note", "dropped"), (report.faults.late_messages, "message", "late"),
        (report.faults.overflows, "overflow", "of the input"),
        (report.faults.lost_windows, "window", "of input skipped"),
    )  # fmt: skip
    faults = [f"{plural(count, noun)} {fate}" for count, noun, fate in counts if count]
    faults += [f"{plural(len(report.panics), 'panic')}"] * bool(report.panics)
    faults += [moment.text for moment in report.faults.players]
    faults += [f"the log: {report.faults.log}"] * (report.faults.log is not None)
    return [*lines, f"faults: {'; '.join(faults)}"] if faults else lines


def _describe_shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "nothing was recorded"


def _share(names: Iterable[str], total: int | None = None) -> dict[str, float]:
    """The share of each name, the largest first; of `total`, or of all names."""
    counts = Counter(names)
    whole = counts.total() if total is None else total
    return {name: round(count / whole, 3) for name, count in counts.most_common()}


def _name_part(bands: Sequence[tuple[float, tuple[Part, ...]]], port: str, note: SoundingNote) -> str:
    """The latest band's player on the note's channel; an earlier one's that still rings, if it has none."""
    begun = [parts for time, parts in bands if time <= note.start_seconds] or [bands[0][1]]
    for parts in reversed(begun):
        for part in parts:
            if (part.port, part.channel) == (port, note.channel):
                return part.name
    return f"channel {note.channel}"


def _thin(points: Sequence[T]) -> Iterator[T]:
    """Leave out points that come within a second of the one before, but keep the last."""
    latest = None
    for number, point in enumerate(points):
        if latest is None or point.seconds - latest >= _SHORTEST_STEP or number == len(points) - 1:
            latest = point.seconds
            yield point
