"""`kelly-live lab compare`: is our music like people's? Distributions, form, loops and reaction, beside human pieces."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.engine.options.click_options import debug_option
from kelly_live.lab.cli.train import DEFAULT_CACHE, FOLDER
from kelly_live.midi.offline import OfflineScheduler

if TYPE_CHECKING:
    from kelly_live.core.protocols import Mapper, NoteSink
    from kelly_live.core.values import MusicParameters
    from kelly_live.lab.judging.comparison import Composer
    from kelly_live.lab.judging.reaction_time import NoteOn
    from kelly_live.music.conductor import Conductor

KINDS = {"solo": "solo-piano", "band": "band"}  # host presets; drums are left out of every measure
TWO_MINUTES = 120.0
FORM_BARS = 33  # the 32 that are measured, and a closing one
CHANGES = {"calm to stirred": ((0.5, -0.5), (0.5, 0.5)), "stirred to calm": ((0.5, 0.5), (0.5, -0.5)),
        "glad to sad": ((0.5, 0.0), (-0.5, 0.0)), "angry to happy": ((-0.5, 0.5), (0.5, 0.5))}  # fmt: skip


@click.command("compare")
@click.option("--symbolic", type=FOLDER, required=True, help="Folder of a symbolic manifest.jsonl: EMOPIA and VGMIDI.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="What was measured of people.")
@click.option("--pieces", type=click.IntRange(2), default=12, show_default=True, help="Pieces a quadrant and kind.")
@click.option("--changes", type=click.IntRange(1), default=20, show_default=True, help="Moments a change of feeling.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(symbolic: Path, cache: Path, pieces: int, changes: int, as_json: bool) -> None:
    """Our music against human pieces (EMOPIA, VGMIDI), with random notes and a rule table beside it; how long it
    repeats itself literally in two minutes; and how soon new parameters are heard while it plays.
    """
    from dataclasses import asdict

    import numpy as np

    from kelly_live.engine.build import create_mapper
    from kelly_live.lab.corpora.manifest import QUADRANTS
    from kelly_live.lab.judging import comparison as likeness
    from kelly_live.lab.judging.baseline_composers import compose_by_rules, compose_random

    people = likeness.read_human_statistics(symbolic, cache / "likeness")
    mapper = create_mapper()
    compose = composer(mapper)
    centres = [(0.5 * v, 0.5 * a) for v, a in QUADRANTS.values()]
    music: dict[str, list[likeness.PieceStatistics]] = {"random": [], "rule table": []}
    for index, (valence, arousal) in enumerate(centres):
        for seed in range(1, pieces + 1):
            ruled = compose_by_rules(valence, arousal, 100 * index + seed, 64)
            music["rule table"].append(likeness.compute_generated_statistics(ruled, f"rules {index} {seed}"))
    repeats = {}
    for kind in KINDS:
        music[kind], lengths, shared = [], [], []
        for index, (valence, arousal) in enumerate(centres):
            before = None
            for seed in range(1, pieces + 1):
                score = compose(kind, valence, arousal, seed, TWO_MINUTES)
                music[kind].append(likeness.compute_generated_statistics(score, f"{kind} {index} {seed}"))
                if kind == "band":
                    thrown = compose_random(likeness.select_excerpt(score, TWO_MINUTES), seed)
                    music["random"].append(likeness.compute_generated_statistics(thrown, f"random {index} {seed}"))
                now = likeness.list_cells(likeness.select_excerpt(score, TWO_MINUTES))
                lengths.append(likeness.find_longest_repeat(now))
                if before is not None:
                    shared.append(likeness.compute_shared_notes(before, now))
                before = now
        repeats[kind] = likeness.Repetitions(kind, tuple(lengths), tuple(shared))
    repeats["people"] = likeness.Repetitions("people", tuple(likeness.find_human_repeats(symbolic)))
    lines = likeness.HumanReference(people).compare(music)
    reactions = {kind: reaction_table(mapper, kind, changes) for kind in KINDS}
    if as_json:
        answer = {
            "likeness": [asdict(line) | {"holds": line.holds} for line in lines],
            "repeats": {kind: asdict(one) for kind, one in repeats.items()},
            "reaction": reactions,
        }
        click.echo(json.dumps(answer))
        return
    click.echo(likeness.format_comparison(lines))
    click.echo("\n| two minutes | longest literal repeat, beats: median, worst | notes that two seeds share |")
    click.echo("|---|---|---|")
    for kind, one in repeats.items():
        same = f"{np.mean(one.shared):.2f}" if one.shared else ""
        click.echo(f"| {kind} (n {len(one.beats)}) | {np.median(one.beats):.1f}, {max(one.beats):.1f} | {same} |")
    click.echo("\n| new parameters, ms | first new note p50 | p95 | last old note p50 | p95 | moments |")
    click.echo("|---|---|---|---|---|---|")
    for kind, rows in reactions.items():
        for name, row in rows.items():
            values = [f"{1000 * row[key]:.0f}" for key in ("p50", "p95", "stale p50", "stale p95")]
            click.echo(f"| {kind}: {name} | {' | '.join(values)} | {row['changes']:.0f} |")


def _conductor(sink: NoteSink, kind: str, seed: int, bars: int | None) -> Conductor:
    from kelly_live.engine.build import build_band, create_conductor
    from kelly_live.engine.options.host import HostOptions

    host = build_band(HostOptions((KINDS[kind],)))
    return create_conductor(sink, seed=seed, length_bars=bars, host=host, live=bars is None)


def composer(mapper: Mapper) -> Composer:
    """Who plays, valence, arousal, seed, seconds -> what is sent, drums aside, by seconds and the conductor's beats; at
    least FORM_BARS bars.
    """
    import numpy as np

    from kelly_live.core.override import state_from
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.session import compose
    from kelly_live.lab.corpora.symbolic_features import Score
    from kelly_live.midi.files import notes_from_messages

    def composed(kind: str, valence: float, arousal: float, seed: int, seconds: float) -> Score:
        state = state_from(valence, arousal)
        parameters = mapper(state)
        scheduler = OfflineScheduler()
        bars = max(FORM_BARS, round(seconds * parameters.tempo.suggested / 240.0) + 1)
        conductor = _conductor(scheduler, kind, seed, bars)
        played = compose(Reading(state, parameters), conductor, scheduler)
        programs = {player.channel: player.program for player in conductor.slots}
        notes = [note for note in notes_from_messages(played.messages, programs) if note.channel != 10]
        rows = sorted(
            (n.start_seconds, n.end_seconds, played.tempo_map.beat_at(n.start_seconds), n.pitch, n.velocity)
            for n in notes
        )
        starts, ends, beats, pitches, velocities = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        return Score(starts, ends, beats, pitches, velocities, end_beat=4.0 * bars)

    return composed


class _Noting(OfflineScheduler):
    """Notes of each note when it was made and when it is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.made: list[tuple[float, float]] = []

    def send(self, command: SinkCommand) -> None:
        """Keep when each note was created, and send it."""
        if isinstance(command, Notes):
            self.made += [(self.now, self.tempo_map.seconds_at(note.onset_beats)) for note in command.notes]
        super().send(command)


class _Heard:
    """The conductor and what becomes of its notes, stepped as a live session steps them."""

    def __init__(self, kind: str, seed: int) -> None:
        self._sink = _Noting()
        self._conductor = _conductor(self._sink, kind, seed, None)

    def start(self, origin_seconds: float, parameters: MusicParameters) -> None:
        self._conductor.start(origin_seconds, parameters)

    def advance(self, now: float, parameters: MusicParameters) -> None:
        self._sink.now = now
        self._conductor.advance(now, parameters)
        self._sink.advance(now)

    def list_creation_times(self) -> Sequence[tuple[float, float]]:
        return self._sink.made

    def list_notes(self, now: float) -> Sequence[NoteOn]:
        from kelly_live.core.midi_messages import channel_of, kind_of
        from kelly_live.lab.judging.reaction_time import NoteOn

        return [
            NoteOn(message.seconds, channel_of(message.data) or 0, message.data[1], message.data[2])
            for message in self._sink.messages
            if kind_of(message.data) == "note_on"
        ]


def reaction_table(mapper: Mapper, kind: str, changes: int) -> dict[str, dict[str, float]]:
    """At random moments: how soon new parameters reach a note, in the middle of each quadrant; and of each of CHANGES,
    how soon it is heard. Seconds.
    """
    import random

    from kelly_live.core.override import state_from
    from kelly_live.lab.corpora.manifest import QUADRANTS
    from kelly_live.lab.judging.reaction_time import ResponseTime, measure_reach, measure_response, summarise_responses

    reached: list[ResponseTime] = []
    for valence, arousal in QUADRANTS.values():
        rng = random.Random(f"{valence} {arousal}")
        parameters = mapper(state_from(0.5 * valence, 0.5 * arousal))
        for seed in (1, 2):
            moments = [rng.uniform(4.0, 20.0) for _ in range(5 * changes)]
            reached += measure_reach(_Heard(kind, seed), parameters, 26.0, moments)
    rows = {"reach a note": summarise_responses(reached)}
    responses: list[ResponseTime] = []
    for name, (before, after) in CHANGES.items():
        rng = random.Random(name)
        old, new = mapper(state_from(*before)), mapper(state_from(*after))
        found = [
            measure_response(functools.partial(_Heard, kind, seed), old, new, rng.uniform(6.0, 16.0))
            for seed in range(1, changes + 1)
        ]
        rows[f"heard, {name}"] = summarise_responses(found)
        responses += found
    return rows | {"heard, all": summarise_responses(responses)}
