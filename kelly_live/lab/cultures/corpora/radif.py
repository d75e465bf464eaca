"""The radif of Mirza Abdollah as MIDI, and performed pitch histograms of dastgahs.

Koron and sori are written as pitch bends.
"""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from kelly_live.core.pitch import octave_distance_cents
from kelly_live.cultures.preset import Mode
from kelly_live.lab.cultures.corpora.archive import read_file, read_files
from kelly_live.lab.cultures.corpora.makam import retune_mode
from kelly_live.lab.cultures.statistics import compute_degree_histogram
from kelly_live.lab.cultures.tune import Tune

BEND_CENTS = 200.0 / 8192.0  # the General MIDI default, two semitones; the files that set a range do not bend
_FIT = 0.6  # correlation of notated and performed degrees under which the performances are not this mode's tuning
_HOME = 2 / 3  # of the gushes must end on a note for it to be home without further witness
_REACH = 30.0  # cents about a notated quarter tone in which its performed peak is looked for

DASTGAHS = {
    "Shur": "Shur", "Abuata": "Abu Ata", "Bayat e Tork": "Bayat-e Tork", "Afshari": "Afshari", "Dashty": "Dashti",
    "Bayat e Kord": "Bayat-e Kord", "Segah": "Segah", "Chahargah": "Chahargah", "Mahur": "Mahur",
    "Homayoun": "Homayun", "Bayat e Esfahan": "Esfahan", "Nava": "Nava", "Rast Panjgah": "Rast-Panjgah",
}  # fmt: skip


def format_mode_name(title: str) -> str:
    """Format a title as the name of a mode."""
    return title.lower().replace(" ", "-")


def read_radif(corpora: Path) -> list[Tune]:
    """Read the gushes of each dastgah or avaz (its `mode`).

    0 is the note on which most of its gushes end. Where too few end on one note it is the witness (shahed), to which
    recordings are relative; without recordings the mode is left out. Time is free: onsets and durations are in seconds
    of the notation's playback.
    """
    raw: dict[str, list[np.ndarray]] = defaultdict(list)
    for path, data in read_files(corpora, "radif-mirza-abdollah", lambda inside: inside.endswith(".mid")):
        folder = path.split("/")[-2]
        notes = _read_notes(data)
        if folder in DASTGAHS and len(notes) >= 12:
            raw[format_mode_name(DASTGAHS[folder])].append(notes)
    histograms = _read_histograms(corpora)
    tunes = []
    for mode, gushes in raw.items():
        final, endings = Counter(int(notes[-1, 2]) % 1200 for notes in gushes).most_common(1)[0]
        members = [_create_tune(notes, final, mode) for notes in gushes]
        if endings < _HOME * len(gushes):
            if mode not in histograms:
                continue
            fit, shahed = _find_shahed(members, histograms[mode][0])
            if fit < _FIT:
                continue
            members = [_create_tune(notes, final + shahed, mode) for notes in gushes]
        tunes += members
    return tunes


def _create_tune(notes: np.ndarray, final: int, mode: str) -> Tune:
    tonic = final + 1200.0 * round((float(np.median(notes[:, 2])) - final) / 1200.0)
    return Tune(
        cents=notes[:, 2] - tonic, onsets=notes[:, 0], durations=notes[:, 1], tonic=tonic / 100.0, mode=mode
    )  # fmt: skip


def _read_histograms(corpora: Path) -> dict[str, tuple[np.ndarray, int]]:
    """Read each mode's histogram relative to the witness, `[120]` bins of 10 cents, and its recordings."""
    path = "persian_dastgah_kdc_pitch_histograms.json"
    raw = json.loads(read_file(corpora, "measured_summary", path))
    full_names = {"Abuata": "Abu Ata"}
    return {
        format_mode_name(full_names.get(key, key)): (np.array(one["hist10c_rel_shahed"]), int(one["n"]))
        for key, one in raw.items()
    }


def _find_shahed(tunes: list[Tune], histogram: np.ndarray) -> tuple[float, int]:
    """Find the notated degree (cents) that fits the recordings best as their witness, and the correlation."""
    time, _ = compute_degree_histogram(tunes, 24)
    profile = np.zeros(120)
    for place, share in enumerate(time):
        distances = octave_distance_cents(np.arange(120) * 10.0, place * 50.0)
        profile += share * np.exp(-0.5 * (distances / 25.0) ** 2)
    degrees = [place * 50 for place in range(24) if time[place] >= 0.03]
    fits = [(float(np.corrcoef(np.roll(histogram, degree // 10), profile)[0, 1]), degree) for degree in degrees]
    return max(fits)


def _read_notes(data: bytes) -> np.ndarray:
    """Read onset, duration (s) and pitch (cents of MIDI) of each note, `[n, 3]`; the top one of a chord."""
    import mido

    midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
    now, bend = 0.0, 0
    open_notes: dict[int, tuple[float, float]] = {}
    notes: list[tuple[float, float, float]] = []
    for message in midi:  # in seconds
        now += message.time
        if message.type == "pitchwheel":
            bend = message.pitch
        elif message.type == "note_on" and message.velocity > 0:
            cents = round((100.0 * message.note + bend * BEND_CENTS) / 50.0) * 50.0
            open_notes[message.note] = (now, cents)
        elif message.type in ("note_on", "note_off") and message.note in open_notes:
            start, cents = open_notes.pop(message.note)
            notes.append((start, now - start, cents))
    top: dict[float, tuple[float, float, float]] = {}
    for start, length, cents in notes:
        key = round(start, 2)
        if length > 0.0 and (key not in top or cents > top[key][2]):
            top[key] = (start, length, cents)
    return np.array([top[key] for key in sorted(top)], dtype=np.float64).reshape(-1, 3)


def apply_performed_tuning(corpora: Path, modes: tuple[Mode, ...], tunes: list[Tune]) -> tuple[Mode, ...]:
    """Move the notated quarter-tone degrees to where singers and players put them.

    Only the dastgahs are moved whose recordings fit the notation.
    """
    histograms = _read_histograms(corpora)
    return tuple(
        _retune(mode, *histograms[mode.name], [tune for tune in tunes if tune.mode == mode.name])
        if mode.name in histograms
        else mode
        for mode in modes
    )


def _retune(mode: Mode, histogram: np.ndarray, recordings: int, tunes: list[Tune]) -> Mode:
    fit, shahed = _find_shahed(tunes, histogram)
    if fit < _FIT:
        return mode
    reference = f"degrees from the radif, their tuning from KDC recordings (fit {fit:.2f}; measured_summary)"
    return retune_mode(mode, np.roll(histogram, shahed // 10), recordings, reference, _REACH)
