"""Excerpts of songs with open licences, varied, played by many instruments, and labelled by published cue weights.

Nobody rated these songs. The teacher is the additive model of Eerola, Friberg & Bresin (2013, Front. Psychol. 4:487):
perceived emotion is nearly linear in mode > tempo > register > dynamics > articulation > timbre. The ranks become
weights by their centroids (1/6 of 1 + 1/2 + … + 1/6 for the first, and so on); the signs follow their four emotions,
with valence as happy and peaceful against sad and scary, and arousal as happy and scary against sad and peaceful.
Dissonance and density are not among their six; they come from film music (MusicScienceData, MIT: rated energy has r .69
with density and .57 with level, rated valence .25 with key clarity; `film_cues.py`).

Mode, tempo, level, register and articulation of a song go together. So each excerpt is varied: transposed, faster or
slower, louder or softer, shorter notes, with or without pedal, and in a share of them the parallel mode. The labels are
computed after that.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.pop909 import extract_pop909, list_songs
from kelly_live.lab.corpora.rendering import SOUNDFONTS, render_midi
from kelly_live.lab.corpora.symbolic_features import CHORD_SECONDS, Score, estimate_mode_weights
from kelly_live.midi.file_reader import read_midi_file

VERSION = 2  # part of the excerpts' names and renderings: raise it when an excerpt changes
SECONDS = 24.0
STEP_SECONDS = 4.0  # one label each
CONTEXT_SECONDS = 8.0  # that a label looks back
MIN_NOTES = 24
TICKS_PER_SECOND = 960  # 480 a beat at 120 BPM
# Debian's fluid-soundfont-gm (MIT), musescore-general-soundfont-lossless (MIT) and csound-soundfont (public domain): a
# third of the excerpts each. Uncompressed: compressed soundfonts take seven times as long.
OPEN_SOUNDFONTS = (
    SOUNDFONTS[0],
    Path("/usr/share/sounds/sf2/MuseScore_General_Full.sf2"),
    Path("/usr/share/sounds/sf2/sf_GMbank.sf2"),
)
OTHERS_EVERY = 3  # songs have an excerpt on other instruments than the piano too
PARALLEL_SHARE = 0.35  # of the excerpts are played in the parallel mode
PEDAL_SHARE = 0.5  # of the excerpts on the piano are played with the pedal
_PIANOS = (0, 0, 0, 0, 1, 2, 3)  # General MIDI programs
# Which degrees differ between major and minor, in semitones over the tonic.
_TO_MINOR, _TO_MAJOR = {4: 3, 9: 8, 11: 10}, {3: 4, 8: 9, 10: 11}
_MELODY = (0, 4, 6, 11, 16, 21, 24, 26, 40, 41, 42, 48, 52, 56, 60, 64, 66, 68, 71, 73, 75, 80)
_ACCOMPANIMENT = (0, 0, 4, 6, 16, 19, 24, 25, 27, 46, 48, 50, 88, 89)
CUES = ("mode", "rate", "register", "level", "staccato", "dissonance", "density")
VALENCE_WEIGHTS = {
    "mode": 0.41, "rate": 0.10, "register": 0.16, "level": -0.10, "staccato": 0.06, "dissonance": -0.15,
}  # fmt: skip
AROUSAL_WEIGHTS = {
    "mode": 0.0, "rate": 0.41, "level": 0.30, "staccato": 0.10, "density": 0.20, "dissonance": 0.05,
}  # fmt: skip
LABEL_RMS = 0.5  # of the argument of tanh, as for the rated pieces of the other set (`targets.RATING_PLANES`)


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes in order of onset, each `[n]`: seconds, MIDI pitch, velocity, and the part that plays them."""

    onsets: Floats
    offsets: Floats
    pitches: Floats
    velocities: Floats
    parts: Floats

    def select(self, mask: np.ndarray) -> Notes:
        """Select notes by a mask or by indices."""
        return Notes(*(getattr(self, name)[mask] for name in self.__slots__))

    def as_score(self) -> Score:
        """Return the notes without parts; a beat is half a second."""
        end = 2.0 * float(self.offsets.max())
        return Score(self.onsets, self.offsets, 2.0 * self.onsets, self.pitches, self.velocities, end)


def read_notes(path: Path) -> Notes:
    """Read the pitched notes of a MIDI file, each track a part. Raises MidiError."""
    midi = read_midi_file(path)
    events: list[tuple[int, int, Any]] = []
    for part, track in enumerate(midi.tracks):
        tick = 0
        for message in track:
            tick += message.time
            if message.type in ("set_tempo", "note_on", "note_off"):
                events.append((tick, part, message))
    events.sort(key=lambda event: (event[0], event[2].type != "set_tempo"))
    rows: list[tuple[float, float, int, int, int]] = []
    sounding: dict[tuple[int, int, int], list[tuple[float, int]]] = {}
    seconds, last, tempo = 0.0, 0, 500_000
    for tick, part, message in events:
        seconds += (tick - last) / midi.ticks_per_beat * tempo / 1e6
        last = tick
        if message.type == "set_tempo":
            tempo = max(message.tempo, 1)
        elif message.channel != 9:
            place = (part, message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                sounding.setdefault(place, []).append((seconds, message.velocity))
            elif sounding.get(place):
                onset, velocity = sounding[place].pop(0)
                rows.append((onset, max(seconds, onset + 0.02), message.note, velocity, part))
    return Notes(*np.array(sorted(rows), dtype=np.float64).reshape(-1, 5).T)


def find_tonic(notes: Notes) -> tuple[int, bool]:
    """Find the tonic's pitch class, and whether the mode is major, by correlation with Krumhansl & Kessler (1982)."""
    profile = np.zeros(12)
    np.add.at(profile, notes.pitches.astype(int) % 12, np.minimum(notes.offsets - notes.onsets, 2.0))
    major = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
    minor = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
    fits = [(np.corrcoef(np.roll(key, k), profile)[0, 1], k, key is major) for key in (major, minor) for k in range(12)]
    _, tonic, is_major = max(fits)
    return tonic, bool(is_major)


def vary(notes: Notes, rng: np.random.Generator) -> Notes:
    """Cut an excerpt of SECONDS and vary tempo, key, mode, register, level and articulation."""
    pace = float(np.exp(rng.uniform(np.log(0.6), np.log(1.7))))
    first = rng.uniform(0.0, max(0.0, notes.onsets[-1] - SECONDS * pace))
    notes = notes.select((notes.onsets >= first) & (notes.onsets < first + SECONDS * pace))
    if len(notes.onsets) < MIN_NOTES:
        return notes
    onsets = (notes.onsets - first) / pace
    lengths = (notes.offsets - notes.onsets) / pace * np.exp(rng.uniform(np.log(0.4), np.log(1.3)))
    pitches = notes.pitches.copy()
    if rng.random() < PARALLEL_SHARE:
        tonic, is_major = find_tonic(notes)
        changes = _TO_MINOR if is_major else _TO_MAJOR
        pitches += np.array([changes.get(d, d) - d for d in ((pitches - tonic) % 12).astype(int).tolist()])
    pitches += int(rng.integers(-5, 7)) + (12 * int(rng.choice([-1, 1])) if rng.random() < 0.2 else 0)
    pitches = np.where(pitches > 103, pitches - 12, np.where(pitches < 24, pitches + 12, pitches))
    spread = notes.velocities - notes.velocities.mean()
    velocities = np.clip(rng.uniform(38.0, 100.0) + spread * rng.uniform(0.5, 1.2), 12.0, 127.0)
    return Notes(onsets, np.minimum(onsets + np.maximum(lengths, 0.05), SECONDS), pitches, velocities, notes.parts)


def hold_pedal(notes: Notes, rng: np.random.Generator) -> Notes:
    """Let the notes sound until the pedal is next lifted, every 0.5 to 3 s, or their key is struck again."""
    period, phase = np.exp(rng.uniform(np.log(0.5), np.log(3.0))), rng.random()
    held = np.minimum((np.floor(notes.offsets / period - phase) + 1.0 + phase) * period, SECONDS)
    for pitch in np.unique(notes.pitches):
        own = np.flatnonzero(notes.pitches == pitch)
        held[own[:-1]] = np.maximum(np.minimum(held[own[:-1]], notes.onsets[own[1:]]), notes.onsets[own[:-1]] + 0.02)
    return Notes(notes.onsets, held, notes.pitches, notes.velocities, notes.parts)


def measure_majorness(notes: Notes) -> float:
    """Measure how major the notes are, from -1 (minor) to 1."""
    # MODES: ionian, dorian, phrygian, lydian, mixolydian, aeolian, locrian.
    signs = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    return float(np.array(estimate_mode_weights(notes.as_score())) @ signs)


def measure_cues(notes: Notes, majorness_of_all: float) -> Floats:
    """Measure CUES of some notes; the mode is also that of the whole excerpt."""
    mode = 0.35 * measure_majorness(notes) + 0.65 * majorness_of_all
    span = max(float(notes.offsets.max() - notes.onsets[0]), 2.0)
    starts = np.flatnonzero(np.diff(notes.onsets, prepend=-1.0) > CHORD_SECONDS)
    gaps = np.diff(notes.onsets[starts], append=notes.onsets[starts[-1]] + 1.0)
    fullness = np.minimum((notes.offsets - notes.onsets)[starts] / np.maximum(gaps, 0.05), 1.5)
    rough = []
    for onset in notes.onsets[starts][:: max(1, len(starts) // 24)]:
        pitch = np.unique(notes.pitches[(notes.onsets <= onset + CHORD_SECONDS) & (notes.offsets > onset + 0.02)])
        if len(pitch) > 1:
            pairs = (pitch[:, None] - pitch)[np.triu_indices(len(pitch), 1)] % 12
            rough.append(np.mean(np.isin(pairs, (1, 11)) + 0.6 * (pairs == 6) + 0.4 * np.isin(pairs, (2, 10))))
    seconds = np.minimum(notes.offsets - notes.onsets, 2.0)
    return np.array((
        mode, np.log2(len(starts) / span), np.average(notes.pitches, weights=seconds),
        notes.velocities.mean(), -float(np.mean(fullness)), float(np.mean(rough)) if rough else 0.0,
        np.log2(len(notes.onsets) / span),
    ))  # fmt: skip


def measure_course(notes: Notes) -> Floats:
    """Measure CUES every STEP_SECONDS over the last CONTEXT_SECONDS, `[steps, cues]`."""
    rows, majorness = [], measure_majorness(notes)
    for end in np.arange(STEP_SECONDS, SECONDS + 0.1, STEP_SECONDS):
        recent = notes.select((notes.onsets < end) & (notes.onsets >= end - CONTEXT_SECONDS))
        rows.append(measure_cues(recent if len(recent.onsets) >= MIN_NOTES // 3 else notes, majorness))
    return np.array(rows)


def standardise_cues(courses: Sequence[Floats]) -> list[Floats]:
    """Standardise the cues over all excerpts; the mode keeps its zero between major and minor."""
    table = np.concatenate(courses)
    mean, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
    mean[CUES.index("mode")] = 0.0
    return [(course - mean) / spread for course in courses]


def label_cues(courses: Sequence[Floats]) -> list[Floats]:
    """Label standardised cues with (valence, arousal) in [-1, 1], `[steps, 2]`."""
    weights = np.array([[table.get(cue, 0.0) for cue in CUES] for table in (VALENCE_WEIGHTS, AROUSAL_WEIGHTS)])
    raw = [course @ weights.T for course in courses]
    rms = np.sqrt(np.mean(np.square(np.concatenate(raw)), axis=0))
    return [np.tanh(rows * LABEL_RMS / rms) for rows in raw]


def write_excerpt(notes: Notes, programs: dict[int, int], path: Path) -> None:
    """Write the notes as a MIDI file, each part on a channel with its program."""
    import io

    import mido

    channels = {part: index + (index >= 9) for index, part in enumerate(sorted(programs)[:15])}
    events: list[tuple[int, int, Any]] = []
    for part, channel in channels.items():
        events.append((0, 0, mido.Message("program_change", channel=channel, program=programs[part])))
    for onset, offset, pitch, velocity, part in zip(
        notes.onsets, notes.offsets, notes.pitches, notes.velocities, notes.parts, strict=True
    ):
        channel = channels.get(int(part), 0)
        common = {"channel": channel, "note": int(pitch)}
        events.append((int(onset * TICKS_PER_SECOND), 2, mido.Message("note_on", velocity=int(velocity), **common)))
        events.append((int(offset * TICKS_PER_SECOND), 1, mido.Message("note_off", **common)))
    track, last = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        message.time, last = tick - last, tick
        track.append(message)
    midi, buffer = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_SECOND // 2), io.BytesIO()
    midi.tracks.append(track)
    midi.save(file=buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


@dataclass(frozen=True, slots=True)
class Song:
    """A song's MIDI file; `group` is kept whole by the split: the composer, or the song."""

    dataset: str
    name: str
    path: Path
    group: str
    licence: str


def list_open_songs(data: Path, cache: Path) -> list[Song]:
    """List the songs of OpenScore Lieder and POP909, in an order by hash. Raises ConfigError."""
    folder = cache / "open" / "openscore"
    manifest = data / "open" / "openscore" / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigError(f"{manifest} is missing; --data names the folder that holds open/, emotion/ and cultures/")
    if not folder.is_dir():
        with tarfile.open(manifest.with_name("midi.tar.xz")) as tar:
            tar.extractall(folder, filter="data")
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    songs = [
        Song("openscore", row["id"], folder / row["midi_path"], f"openscore:{row['composer']}", "CC0 1.0")
        for row in rows
    ]
    songs += [
        Song("pop909", song.name, song / f"{song.name}.mid", f"pop909:{song.name}", "MIT")
        for song in list_songs(extract_pop909(data / "cultures", cache))
    ]
    return sorted(songs, key=lambda song: hashlib.sha256(f"{song.dataset}{song.name}".encode()).hexdigest())


def draw_excerpt(song: Song, variant: int) -> tuple[Notes, dict[int, int]] | None:
    """Draw an excerpt and its programs; odd variants have other instruments than the piano. None: too few notes."""
    seed = hashlib.sha256(f"{song.dataset}/{song.name}/{variant}".encode()).digest()[:8]
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    notes = read_notes(song.path)
    if len(notes.onsets) < MIN_NOTES:
        return None
    notes = vary(notes, rng)
    if len(notes.onsets) < MIN_NOTES:
        return None
    parts = sorted({int(part) for part in notes.parts})
    if variant % 2 == 0:
        notes = hold_pedal(notes, rng) if rng.random() < PEDAL_SHARE else notes
        return notes, dict.fromkeys(parts, int(rng.choice(_PIANOS)))
    melody, accompaniment = int(rng.choice(_MELODY)), int(rng.choice(_ACCOMPANIMENT))
    return notes, {part: melody if part == parts[0] else accompaniment for part in parts}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An excerpt of a song as a MIDI file, and its cues `[steps, cues]`."""

    song: Song
    variant: int
    midi: Path
    course: Floats


def make_excerpt(song: Song, variant: int, folder: Path) -> Excerpt | None:
    """Draw an excerpt into the folder unless it is there; None: too few notes."""
    midi = folder / f"{song.dataset}{VERSION}" / f"{song.name}_{variant}.mid"
    cues = midi.with_suffix(".npy")
    if not (midi.is_file() and cues.is_file()):
        drawn = draw_excerpt(song, variant)
        if drawn is None:
            return None
        write_excerpt(*drawn, midi)
        np.save(cues, measure_course(drawn[0]))
    return Excerpt(song, variant, midi, np.asarray(np.load(cues)))


def gather_open_music(
    data: Path,
    cache: Path,
    most: Mapping[str, int],
    log: Callable[[str], None],
    soundfonts: Sequence[Path] = OPEN_SOUNDFONTS,
) -> list[Clip]:
    """Make, label and render an excerpt of each of `most` songs by data set on the piano, and some on others.

    The excerpts of a song share its group. A hash of their names chooses the soundfont.
    """
    chosen = [
        song
        for dataset, count in most.items()
        for song in [s for s in list_open_songs(data, cache) if s.dataset == dataset][:count]
    ]
    made = [
        make_excerpt(song, variant, cache / "open" / "excerpts")
        for place, song in enumerate(chosen)
        for variant in ((0, 1) if place % OTHERS_EVERY == 0 else (0,))
    ]
    excerpts = [excerpt for excerpt in made if excerpt is not None]
    labels = label_cues(standardise_cues([excerpt.course for excerpt in excerpts]))
    clips = []
    for count, (excerpt, label) in enumerate(zip(excerpts, labels, strict=True), 1):
        song = excerpt.song
        draw = int(hashlib.sha256(f"{song.name} {excerpt.variant}".encode()).hexdigest(), 16)
        soundfont = soundfonts[draw % len(soundfonts)]
        audio = render_midi(excerpt.midi, cache / "open", soundfont, seconds=SECONDS + 1.0)
        clips.append(
            Clip(
                audio, song.dataset, "train", bar_ratings=tuple((float(v), float(a)) for v, a in label),
                region=soundfont.stem, duration=SECONDS, speaker=song.group, licence=song.licence, kind="music",
            )
        )  # fmt: skip
        if count % 100 == 0 or count == len(excerpts):
            log(f"excerpts rendered: {count}/{len(excerpts)}")
    return clips
