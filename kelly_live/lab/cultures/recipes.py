"""The shipped presets, one recipe each: corpora, what they can say, citations, and what stays absent.

Only what a publication states is cited. A reason is given where a corpus seems to say more than it can.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.cultures.preset import PARAMETERS, Known, Mode
from kelly_live.lab.cultures import statistics
from kelly_live.lab.cultures.corpora import (
    abc,
    amicor,
    irish,
    makam,
    pop909,
    radif,
    saraga,
    sargam,
    scores,
    son,
    symbtr,
    tunings,
    weimar,
    workbook,
)
from kelly_live.lab.cultures.corpora.archive import read_files
from kelly_live.lab.cultures.corpora.kern import read_kern
from kelly_live.lab.cultures.practice import add_practice, add_vadi
from kelly_live.lab.cultures.recipe import Findings, Recipe, create_cited, measure_tunes
from kelly_live.lab.cultures.statistics import compute_quantiles, create_measured, find_grouping
from kelly_live.lab.cultures.tune import Tune

_EDITORIAL = "set by an editor in this corpus, so it measures the editor"
_NO_RHYTHM = "the corpus holds pitches without durations"
_RHYTHM_FIELDS = ("tempo_bpm", "metres", "groupings", "onset_profiles", "rhythms", "density", "npvi")


def drop_rhythm(findings: Findings) -> Findings:
    """Drop what a corpus without rhythm cannot say of a tune."""
    return findings.exclude(**dict.fromkeys(_RHYTHM_FIELDS, _NO_RHYTHM))


# ---------------------------------------------------------------- Europe


def _irish(corpora: Path) -> Findings:
    tunes = irish.read_irish(corpora)
    findings = measure_tunes(tunes, "irish-ceol-rince", titles=_DIATONIC, least=20)
    plain = "the corpus' editors took ornaments out"
    return findings.exclude(ornaments=plain, tempo_bpm=_EDITORIAL)


_DIATONIC = {
    "ionian": "Ionian (major)", "dorian": "Dorian", "mixolydian": "Mixolydian", "aeolian": "Aeolian (minor)",
    "lydian": "Lydian", "phrygian": "Phrygian", "locrian": "Locrian",
}  # fmt: skip


def _name_by_fit(tunes: Sequence[Tune]) -> list[Tune]:
    """Name each tune's mode by the diatonic mode that fits it best."""
    return [replace(tune, mode=statistics.find_diatonic_mode(tune)) for tune in tunes]


def _swedish(corpora: Path) -> Findings:
    tunes = [tune for tune in abc.read_folkwiki(corpora) if "pols" in tune.group or "polon" in tune.group]
    return measure_tunes(tunes, "swedish-folkwiki, polskas and kin", titles=_DIATONIC, least=10)


def _kern(corpora: Path, name: str, inside: str) -> list[str]:
    return [data.decode("latin-1") for path, data in read_files(corpora, name, lambda path: inside in path)]


def _german(corpora: Path) -> Findings:
    tunes = [tune for text in _kern(corpora, "essen", "europa/deutschl/") if (tune := read_kern(text)) is not None]
    findings = measure_tunes(_name_by_fit(tunes), "essen, Deutschland", titles=_DIATONIC, least=20)
    return findings.exclude(ornaments="the collection notes no ornaments")


def _klezmer(corpora: Path) -> Findings:
    tunes = []
    for text in _kern(corpora, "klezmer-beregovski", "corpus/beregovski"):
        label = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("!!!Mode")), "")
        tune = read_kern(text, is_transposed=True, mode=_KLEZMER.get(label))
        if tune is not None:
            tunes.append(tune)
    titles = {name: label for label, name in _KLEZMER.items()}
    findings = measure_tunes(tunes, "klezmer-beregovski", titles=titles)
    return findings.exclude(register="the tunes were moved to common keys")


_KLEZMER = {
    "Minor": "minor", "Freygish": "freygish", "Major": "major", "Altered Dorian": "altered-dorian",
    "Major (Mixolydian)": "mixolydian",
}  # fmt: skip


def _ballad(corpora: Path) -> Findings:
    tunes = _name_by_fit(workbook.read_songs(corpora, "English"))
    findings = drop_rhythm(
        measure_tunes(
            tunes, "japan-english-folk, English; octaves unfolded the shorter way", titles=_DIATONIC, least=20
        )
    )
    return findings.exclude(ambitus_semitones="octaves are not in the corpus", ornaments=_NO_RHYTHM)


# ---------------------------------------------------------------- Turkey


def _makam(corpora: Path) -> Findings:
    tunes = symbtr.read_symbtr(corpora)
    findings = measure_tunes(
        tunes, "symbtr", titles=_MAKAM, divisions=53, min_gap=2, grid=symbtr.COMMA, pooled_scale=False,
        tuning=lambda modes: makam.apply_performed_tuning(corpora, modes),
    )  # fmt: skip
    by_usul: dict[tuple[str, str], list[Tune]] = defaultdict(list)
    for tune in tunes:
        if tune.group and tune.metre:
            by_usul[tune.metre, tune.group].append(tune)
    groupings, n = [], 0
    for (metre, usul), members in sorted(by_usul.items(), key=lambda item: -len(item[1])):
        units = int(metre.split("/")[0])
        if len(members) >= 20 and 4 <= units <= 16 and (parts := find_grouping(members, metre, units)):
            groupings.append((f"{metre} {usul.rsplit(' ', 1)[0]}", parts))
            n += len(members)
    groupings_value = create_measured(tuple(groupings), n, "scores", "symbtr: where in the bar the long notes start")
    return findings.also({"groupings": groupings_value}).exclude(
        intervals="each makam has its own steps: see modes",
        mode_preferences="a 53-comma system: the seven diatonic modes do not describe it",
    )


_MAKAM = {
    "hicaz": "Hicaz", "nihavent": "Nihavent", "ussak": "Uşşak", "rast": "Rast", "huzzam": "Hüzzam", "segah": "Segâh",
    "huseyni": "Hüseynî", "mahur": "Mahur", "hicazkar": "Hicazkâr", "kurdilihicazkar": "Kürdîlihicazkâr",
    "muhayyer": "Muhayyer", "saba": "Sabâ", "acemasiran": "Acemaşîran", "beyati": "Beyâtî", "buselik": "Bûselik",
    "karcigar": "Karcığar", "hicaz-humayun": "Hicaz Hümâyun", "acemkurdi": "Acemkürdî", "evic": "Eviç",
    "muhayyerkurdi": "Muhayyerkürdî", "tahir": "Tâhir", "sehnaz": "Şehnâz", "isfahan": "Isfahan", "neva": "Nevâ",
    "suzinak": "Sûzinâk", "bestenigar": "Bestenigâr", "sultaniyegah": "Sultânîyegâh",
}  # fmt: skip


# ---------------------------------------------------------------- Middle East and North Africa


def _persian(corpora: Path) -> Findings:
    tunes = radif.read_radif(corpora)
    titles = {radif.format_mode_name(title): title for title in radif.DASTGAHS.values()}
    findings = measure_tunes(
        tunes, "radif-mirza-abdollah; 0 is the home note, or the witness", titles=titles, divisions=24, grid=50.0,
        pooled_scale=False, least=5, tuning=lambda modes: radif.apply_performed_tuning(corpora, modes, tunes),
    )  # fmt: skip
    free = "the radif is free in time; durations are those of the notation's playback"
    return findings.exclude(
        **dict.fromkeys(("tempo_bpm", "metres", "groupings", "onset_profiles", "rhythms", "density"), free),
        mode_preferences="quarter tones: the seven diatonic modes do not describe a dastgah",
    )


def _arab(corpora: Path) -> Findings:
    shares, notes, sentences = amicor.read_degree_shares(corpora)
    scales_by_maqam = {
        maqam: scales for maqam, scales in tunings.read_cairo_scales(corpora).items() if len(scales) >= 4
    }
    total = sum(map(len, scales_by_maqam.values()))
    modes = []
    for maqam, scales in sorted(scales_by_maqam.items(), key=lambda item: -len(item[1])):
        cents = tunings.find_common_degrees(scales, most=7)
        reference = "scale-library-cairo-damusc: recordings of 1932 with an annotated tonic"
        weights = create_measured(
            shares, notes, f"sung notes in {sentences} sentences", "amicor, degrees 1-7 of eight maqams"
        )
        modes.append(
            Mode(
                maqam,
                _MAQAM.get(maqam, maqam),
                create_measured(len(scales) / total, len(scales), "recordings", reference),
                create_measured(cents, len(scales), "recordings", reference),
                weights if len(cents) == len(shares) else None,
                None,
                None,
            )
        )
    return Findings(
        modes=tuple(modes),
        absent={
            "scale_cents": "each maqam has its own degrees: see modes",
            "degree_weights": "each maqam has its own degrees: see modes",
            "rhythms": "amicor's improvisations are free in time and give duration classes only",
            "intervals": "amicor's letters have no octave, and the maqam of a sentence is not given",
            "mode_preferences": "neutral thirds: the seven diatonic modes do not describe a maqam",
        },
    )


_MAQAM = {"bayati": "Bayātī", "rast": "Rāst", "saba": "Ṣabā", "husayni": "Ḥusaynī", "hijaz": "Ḥijāz"}


def _al_ala(corpora: Path) -> Findings:
    tunes = scores.read_al_ala(corpora)
    titles = dict(scores.NUBAS.values())
    findings = measure_tunes(
        tunes,
        "arab-andalusian, sections in one metre; 0 is the note on which most sections of a nuba end",
        titles=titles,
        pooled_scale=False,
    )
    return findings.exclude(tempo_bpm=_EDITORIAL, ornaments="the transcriptions note none")


# ---------------------------------------------------------------- South Asia


def _format_raga_name(name: str) -> str:
    return name.lower().replace(" ", "-")


def _measure_concerts(concerts: saraga.Concerts, below: Mapping[int, int]) -> dict[str, Known[Any] | None]:
    """Measure tempo, cycle and sounding tonic of annotated concerts.

    `below` names the metre's unit where it is not a quarter.
    """
    cycles = Counter({f"{beats}/{below.get(beats, 4)}": count for beats, count in concerts.cycles.items()})
    midi = [69.0 + 12.0 * float(np.log2(tonic / 440.0)) for tonic in concerts.tonics]
    sections = sum(concerts.cycles.values())
    return {
        "tempo_bpm": create_measured(
            compute_quantiles(concerts.tempi), len(concerts.tempi), "timed sections", "saraga-annotations"
        ),
        "metres": create_measured(
            statistics.compute_shares(cycles, 0.01), sections, "timed sections", "saraga-annotations"
        ),
        "tonic_midi": create_measured(
            compute_quantiles(midi), len(midi), "recordings", "saraga-annotations, tonic of the lead"
        ),
    }


def _hindustani(corpora: Path) -> Findings:
    tunes = sargam.read_sargam(corpora)
    titles = {"bhairav": "Bhairav", "todi": "Todi", "poorvi": "Poorvi"}
    findings = measure_tunes(tunes, "hindustani-sangeet", titles=titles, pooled_scale=False)
    concerts = saraga.read_saraga(corpora, "hindustani")
    modes = list(findings.modes)
    for raga, (phrases, svaras) in sorted(concerts.phrases.items(), key=lambda item: -item[1][0]):
        degrees, name = _RAGAS.get(raga), _format_raga_name(raga)
        total = sum(svaras.values())
        if degrees is None or phrases < 50 or any(mode.name == name for mode in modes):
            continue
        raga_degrees = [degree for degree in sorted(degrees) if svaras[degree] / total >= 0.03 or degree == 0]
        if sum(svaras[degree] for degree in raga_degrees) / total < _SPELLED_RIGHT:
            continue
        inside = sum(svaras[degree] for degree in raga_degrees)
        reference = (
            "saraga-annotations, svaras of annotated phrases; degrees as the raga is taught, from memory (Bor et al. "
            "1999, The Raga Guide, was not looked up)"
        )
        modes.append(
            Mode(
                name,
                raga,
                None,
                create_measured(tuple(100.0 * degree for degree in raga_degrees), phrases, "phrases", reference),
                create_measured(tuple(svaras[degree] / inside for degree in raga_degrees), total, "svaras", reference),
                None,
                None,
            )
        )
    talas: dict[str, list[int]] = {}
    for tune in tunes:
        matras, tala, pattern = tune.group.split(" ")[0], *tune.group.split(" ", 1)[1].rsplit(" ", 1)
        talas.setdefault(f"{matras}/4 {tala}", [int(part) for part in pattern.split("-")])
    vibhags = tuple((name, tuple(parts)) for name, parts in talas.items())
    groupings = create_measured(vibhags, len(tunes), "compositions", "hindustani-sangeet, vibhags as notated")
    return (
        findings.also(_measure_concerts(concerts, {}), modes=tuple(add_vadi(mode) for mode in modes))
        .also({"groupings": groupings})
        .exclude(
            intervals="each raga has its own steps: see modes",
            mode_preferences="ragas are not the seven diatonic modes",
        )
    )


_SPELLED_RIGHT = 0.9  # of a raga's annotated svaras must be its own: annotators differ in how they spell the fourth
# Semitones of a raga's svaras, from memory; looked up elsewhere, and right, are Lalat, Marwa, Multani and Bilaskhani
# todi. What keeps a wrong one out is _SPELLED_RIGHT.
_RAGAS: dict[str, set[int]] = {
    "Shree": {0, 1, 4, 6, 7, 8, 11}, "Lalat": {0, 1, 4, 5, 6, 8, 11}, "Bihag": {0, 2, 4, 5, 6, 7, 9, 11},
    "Marwa": {0, 1, 4, 6, 9, 11}, "Bairagi": {0, 1, 5, 7, 10}, "Bhimpalas": {0, 2, 3, 5, 7, 9, 10},
    "Ahir bhairav": {0, 1, 4, 5, 7, 9, 10}, "Multani": {0, 1, 3, 6, 7, 8, 11}, "Megh": {0, 2, 5, 7, 10},
    "Malkauns": {0, 3, 5, 8, 10}, "Bilaskhani todi": {0, 1, 3, 5, 7, 8, 10}, "Bhoop": {0, 2, 4, 7, 9},
    "Bhairabi": {0, 1, 3, 5, 7, 8, 10}, "Jog": {0, 3, 4, 5, 7, 10}, "Dhani": {0, 3, 5, 7, 10},
    "Hameer": {0, 2, 4, 5, 6, 7, 9, 11}, "Shuddh sarang": {0, 2, 5, 6, 7, 9, 11},
    "Marubihag": {0, 2, 4, 5, 6, 7, 9, 11}, "Kalyan": {0, 2, 4, 6, 7, 9, 11},
}  # fmt: skip


def _carnatic(corpora: Path) -> Findings:
    concerts = saraga.read_saraga(corpora, "carnatic")
    raga_count = sum(concerts.ragas.values())
    scheme = "scale of its melakarta in twelve equal steps; gamakas not in it"
    modes = []
    for raga, (degrees, title) in _MELAKARTA.items():
        count = concerts.ragas[raga]
        modes.append(
            Mode(
                _format_raga_name(raga),
                title,
                create_measured(count / raga_count, count, "recordings", "saraga-annotations"),
                create_cited(tuple(100.0 * degree for degree in degrees), scheme, _MELAS),
                None,
                None,
                None,
            )
        )
    modes.sort(key=lambda mode: -(mode.share.value if mode.share else 0.0))
    return Findings(
        _measure_concerts(concerts, {7: 8, 5: 8}),
        tuple(modes),
        {
            "scale_cents": "each raga has its own degrees: see modes",
            "degree_weights": "svaras are annotated without their variety (r, g, d, n)",
            "intervals": "svaras are annotated without their variety and octave",
            "mode_preferences": "ragas are not the seven diatonic modes",
            "ornaments": "gamakas are not annotated",
        },
    )


# Ragas of several recordings whose scale is a melakarta or a plain selection from one, in semitones.
_MELAKARTA: dict[str, tuple[tuple[int, ...], str]] = {
    "thodi": ((0, 1, 3, 5, 7, 8, 10), "Tōḍi (8 Hanumatōḍi)"),
    "kalyani": ((0, 2, 4, 6, 7, 9, 11), "Kalyāṇi (65)"),
    "shanmukhapriya": ((0, 2, 3, 6, 7, 8, 10), "Ṣaṇmukhapriya (56)"),
    "sankarabharanam": ((0, 2, 4, 5, 7, 9, 11), "Śankarābharaṇam (29)"),
    "harikambhoji": ((0, 2, 4, 5, 7, 9, 10), "Harikāmbhōji (28)"),
    "karaharapriya": ((0, 2, 3, 5, 7, 9, 10), "Kharaharapriya (22)"),
    "mohanam": ((0, 2, 4, 7, 9), "Mōhanam (from 28)"),
    "madyamavati": ((0, 2, 5, 7, 10), "Madhyamāvati (from 22)"),
    "abhogi": ((0, 2, 3, 5, 9), "Ābhōgi (from 22)"),
    "shuddhadhanyasi": ((0, 3, 5, 7, 10), "Śuddha Dhanyāsi (from 22)"),
    "jaunpuri": ((0, 2, 3, 5, 7, 8, 10), "Jaunpuri (from 20)"),
    "saurashtram": ((0, 1, 4, 5, 7, 9, 11), "Saurāṣṭram (from 17)"),
    "saveri": ((0, 1, 4, 5, 7, 8, 11), "Sāvēri (from 15)"),
    "amritavarshini": ((0, 4, 6, 7, 11), "Amṛtavarṣiṇi (from 66)"),
}


# ---------------------------------------------------------------- East Asia


def _han(corpora: Path) -> Findings:
    texts = _kern(corpora, "essen", "asia/china/han/") + _kern(corpora, "essen", "asia/china/shanxi/")
    tunes = [_move_to_final(tune) for text in texts if (tune := read_kern(text)) is not None]
    findings = measure_tunes(
        tunes, "essen, Han and Shanxi; 0 is the last note, which names the mode", titles=_DIAOSHI, pooled_scale=False
    )
    return findings.exclude(ornaments="the collection notes no ornaments")


# The last note's place in the gong collection names the mode (common teaching; not looked up).
_FINALS = {0: "gong", 2: "shang", 4: "jue", 7: "zhi", 9: "yu"}
_DIAOSHI = {"gong": "Gong 宫", "shang": "Shang 商", "jue": "Jue 角", "zhi": "Zhi 徵", "yu": "Yu 羽"}


def _move_to_final(tune: Tune) -> Tune:
    """Measure the tune from its last note, and name it by that."""
    final = float(tune.cents[-1])
    tonic = None if tune.tonic is None else tune.tonic + final / 100.0
    return replace(tune, cents=tune.cents - final, tonic=tonic, mode=_FINALS.get(round(final / 100.0) % 12))


def _minyo(corpora: Path) -> Findings:
    tunes = workbook.read_songs(corpora, "Japanese")
    titles = {
        tune.mode: tune.mode.replace("minyo", "min'yō").replace("ryukyu", "ryūkyū") for tune in tunes if tune.mode
    }
    findings = measure_tunes(
        tunes,
        "japan-english-folk, Japanese; 0 is the last note; octaves unfolded the shorter way",
        titles=titles,
        least=20,
        pooled_scale=False,
    )
    return drop_rhythm(findings).exclude(ambitus_semitones="octaves are not in the corpus", ornaments=_NO_RHYTHM)


def _jingju(corpora: Path) -> Findings:
    tunes = scores.read_jingju(corpora)
    titles = {"xipi-dan": "Xipi, dan", "xipi-laosheng": "Xipi, laosheng", "erhuang-dan": "Erhuang, dan",
              "erhuang-laosheng": "Erhuang, laosheng"}  # fmt: skip
    findings = measure_tunes(tunes, "jingju, sung sections in one metre; 0 is do of the notation", titles=titles)
    return findings.exclude(mode_preferences="pentatonic with passing fourth and seventh: it fits several modes")


def _jeongak(corpora: Path) -> Findings:
    tunes = scores.read_jeongak(corpora)
    titles = {"gyemyeonjo": "Gyemyeonjo 계면조", "ujo": "Ujo 우조", "pyeongjo": "Pyeongjo 평조"}
    findings = measure_tunes(
        tunes, "korean-jeongganbo, sections of the piri or first part; 0 is hwangjong", titles=titles
    )
    reason = "the corpus notates twelve tones; how they are tuned is not in it"
    return replace(findings, absent={**findings.absent, "tonic_midi": reason})


def _gamelan(corpora: Path) -> Findings:
    scales = tunings.read_damusc_scales(corpora, "Gamelan", "Surjodiningrat")
    modes = []
    sizes = {"slendro": 5, "pelog": 7}
    counts = {name: sum(len(scale) == size + 1 for scale in scales) for name, size in sizes.items()}
    for name, size in sizes.items():
        degrees, spread = tunings.average_degrees(scales, size)
        n = counts[name]
        reference = (
            f"damusc: Surjodiningrat et al., Central Javanese gamelans, from tone 1; SD up to {spread:.0f} cents"
        )
        share = create_measured(n / sum(counts.values()), n, "gamelans", "damusc: how many were measured")
        modes.append(
            Mode(name, name.title(), share, create_measured(degrees, n, "gamelans", reference), None, None, None)
        )
    rhythm = "no corpus of balungan is here"
    return Findings(
        modes=tuple(modes),
        absent={
            **dict.fromkeys(_RHYTHM_FIELDS, rhythm),
            **dict.fromkeys(("scale_cents", "degree_weights"), "each laras has its own degrees: see modes"),
            "intervals": rhythm,
            "mode_preferences": "slendro and pelog are not the seven diatonic modes",
        },
    )


def _mandopop(corpora: Path) -> Findings:
    songs = pop909.read_pop909(corpora)
    findings = measure_tunes(songs.tunes, "pop909-index, sung melody", titles={"major": "Major", "minor": "Minor"})
    low, centre, high = (float(q) / 127.0 for q in np.percentile(songs.velocities, [10, 50, 90]))
    share = float(np.mean(songs.chord_shares))
    reference = f"pop909-index: chord labels cover {share:.0%} of the time"
    return findings.also(
        {
            "dynamics": create_measured(
                (low, centre, high), len(songs.velocities), "melody notes", "pop909-index, arrangers' velocities"
            ),
            "texture": create_measured("chordal", len(songs.chord_shares), "songs", reference),
        }
    )


# ---------------------------------------------------------------- Americas


def _jazz(corpora: Path) -> Findings:
    solos = weimar.read_weimar(corpora)
    findings = measure_tunes(solos.tunes, "jazz-weimar", titles={"major": "Major", "minor": "Minor", "blues": "Blues"})
    bands = [(60, 100), (100, 140), (140, 180), (180, 220), (220, 260), (260, 340)]
    by_tempo = []
    for low, high in bands:
        inside = (solos.swing[:, 0] >= low) & (solos.swing[:, 0] < high)
        by_tempo.append((f"{low}-{high}", float(np.median(solos.swing[inside, 1]))))
    on_beat, late = "onsets on a beat", "jazz-weimar, onset against annotated beat"
    behind, ahead = float(np.mean(solos.offsets > 0.020)), float(np.mean(solos.offsets < -0.020))
    n = len(solos.offsets)
    chords = f"jazz-weimar: {solos.chord_beats} of {solos.beats} beats carry a chord symbol's harmony"
    swing = "jazz-weimar, solos in swing feel"
    return findings.also(
        {
            "swing_ratio": create_measured(
                float(np.median(solos.swing[:, 1])), len(solos.swing), "pairs of eighths", swing
            ),
            "swing_by_tempo": create_measured(tuple(by_tempo), len(solos.swing), "pairs of eighths", swing),
            "timing": create_measured((behind, 1.0 - behind - ahead, ahead), n, on_beat, f"{late}; 20 ms counts as on"),
            "microtiming_ms": create_measured((("solo", 1000.0 * float(np.median(solos.offsets))),), n, on_beat, late),
            "texture": create_measured("chordal", solos.beats, "beats", chords),
        }
    )


def _son(corpora: Path) -> Findings:
    findings = son.read_son(corpora)
    cycles = f"cycles in {findings.performances} performances"
    profiles = [
        (
            f"4/4 {name.lower()}",
            tuple(float(one) for one in np.minimum(findings.onsets[name] / findings.played[name], 1.0)),
        )
        for name in son.INSTRUMENTS
    ]
    profiles.insert(0, ("4/4", profiles[son.INSTRUMENTS.index("Tres")][1]))
    early = tuple(
        (name.lower(), float(np.mean(findings.offsets[name]))) for name in son.INSTRUMENTS if findings.offsets[name]
    )
    n = sum(map(len, findings.offsets.values()))
    corpus, tres = "cuban-son-onsets-iemp", "cuban-son-onsets-iemp, tres"
    return Findings(
        {
            "tempo_bpm": create_measured(compute_quantiles(findings.tempi), len(findings.tempi), cycles, corpus),
            "metres": create_measured((("4/4", 1.0),), findings.performances, "performances", corpus),
            "onset_profiles": create_measured(
                tuple(profiles), len(findings.tempi), cycles, f"{corpus}; two bars of 2/4 a cycle"
            ),
            "rhythms": statistics.measure_rhythms(findings.tres, tres),
            "density": statistics.measure_density(findings.tres, tres),
            "npvi": statistics.measure_npvi(findings.tres, tres),
            "microtiming_ms": create_measured(
                early, n, "onsets", f"{corpus}, against the mean of the others in the same place"
            ),
        },
        absent=dict.fromkeys(
            ("scale_cents", "degree_weights", "intervals", "mode_preferences", "register", "ambitus_semitones"),
            "the corpus holds onset times without pitch",
        ),
    )


# ---------------------------------------------------------------- Caucasus


def _georgian(corpora: Path) -> Findings:
    songs = tunings.read_damusc_steps(corpora, "Georgia", "Recording")
    steps = np.concatenate([np.array(song) for song in songs])
    steps = steps[(steps > 100.0) & (steps < 300.0)]  # larger ones skip a tone, smaller ones end a measured range
    step, spread = float(steps.mean()), float(steps.std())
    degrees = tuple(round(step * place, 1) for place in range(7))
    reference = (
        f"damusc (Scherbaum, Mzhavanadze et al.): the mean melodic step of {len(songs)} measured scales is {step:.0f} "
        f"cents (SD {spread:.0f}), nearly a seventh of the octave; degrees are its multiples"
    )
    return Findings(
        {"scale_cents": create_measured(degrees, len(steps), f"steps in {len(songs)} scales", reference)},
        absent={
            **dict.fromkeys(_RHYTHM_FIELDS, "the corpus holds scales, not songs"),
            "degree_weights": "the corpus holds scales, not songs",
            "intervals": "the corpus holds scales, not songs",
            "mode_preferences": "nearly equal steps: the seven diatonic modes do not describe it",
        },
    )


# ---------------------------------------------------------------- the plain default


def _western(corpora: Path) -> Findings:
    return Findings()


_MAPPED = "the base mapping, learned from labelled Western and game music, stays as it is"

# How far each citation was looked up: the books themselves were out of reach, so no page of one is vouched for.
_TITLE = "the title; the claim was not looked up"
_UNSEEN = "nothing; from memory"
_ENCYCLOPAEDIA = "the title; the texture in encyclopaedias (Wikipedia and Britannica, Heterophony), not in the book"
_EAST_ASIA = "the title; heterophony of East Asian traditions in general, in a wiki after the Garland Encyclopedia 7"
_GAMELAN = "not the title; gamelan in encyclopaedias (Wikipedia and Britannica, Heterophony)"
_DRONE = "the instrument in both Indian traditions, in a magazine; not the book"
_MANUEL = "the article's first pages: the bass foretells the next bar's harmony"
_GEORGIA = "its table of contents, which has Georgia's vocal polyphony; not the chapter"
_TALAS = "adi 4+2+2 and misra chapu 3+2+2 in two introductions, khanda chapu 2+1+2 there; not in the book"
_TEMPO = "nothing; the numbers are ours, from memory"
_STEPS = (
    "reels and jigs at 116 to 124 steps in a list for set dancers, 112 to 127 in a forum quoting the book; not the book"
)
_MELAS = "each scale against the scheme of 72 melas, by a test; which mela a raga is from, only for some"

_MEASURED: tuple[Recipe, ...] = (
    Recipe(
        "turkish-makam", "Turkish makam music",
        "Ottoman and Turkish art and folk repertoire: melody over usul cycles in a 53-comma pitch space.",
        "Middle East", ("tr",), _makam,
        {
            "symbtr": "Karaosmanoğlu (2012), A Turkish makam music symbolic database, ISMIR",
            "otmm-makam": "Karakurt, Şentürk & Serra (2016), MORTY: a toolbox for mode recognition, DLfM",
        },
        {"texture": create_cited(
            "heterophony", "Signell (1977), Makam: Modal Practice in Turkish Art Music", _ENCYCLOPAEDIA
        )},
    ),
    Recipe(
        "persian-dastgah", "Persian dastgah music",
        "The radif of Mirza Abdollah, gushe by gushe, tuned as it was recorded where recordings fit.",
        "Middle East", ("fa",), _persian,
        {
            "radif-mirza-abdollah": "Khalij, IranianMusicKnowledgeBase; SepiSha, radif-Midi",
            "dastgahi-kdc": "histograms of its recordings (measured_summary): Nikzat & Caro Repetto (2022), ISMIR",
        },
        {
            "tempo_bpm": create_cited(
                (60, 84, 120), "measured pieces, from pishdaramad to reng; Farhat (1990)", _TEMPO
            ),
            "texture": create_cited(
                "heterophony", "Farhat (1990), The Dastgah Concept in Persian Music", _ENCYCLOPAEDIA
            ),
        },
    ),
    Recipe(
        "arab-maqam", "Arab maqam (Cairo 1932)",
        "Maqams as tuned in the recordings of the Cairo Congress of 1932.",
        "Middle East", ("ar",), _arab,
        {
            "scale-library-cairo-damusc": "Bozkurt (2025), An open research dataset of the 1932 Cairo Congress",
            "amicor": "Al-Ghawanmeh, Jensenius & Smaïli, AMICOR: Arab Music Improvisation Corpus",
        },
        {
            "tempo_bpm": create_cited(
                (66, 92, 126), "from sama'i thaqil to malfuf; Farraj & Abu Shumays (2019), Inside Arabic Music", _TEMPO
            ),
            "texture": create_cited("heterophony", "Touma (1996), The Music of the Arabs", _ENCYCLOPAEDIA),
        },
    ),
    Recipe(
        "moroccan-al-ala", "Moroccan al-Āla",
        "Nubas of the Andalusian tradition of Morocco, by nuba and mizan, as transcribed in twelve tones.",
        "North Africa", ("ar",), _al_ala,
        {"arab-andalusian": "Caro Repetto et al. (2018), An open corpus for Arab-Andalusian music, DLfM; A. Chaachoo"},
        {
            "tempo_bpm": create_cited(
                (60, 96, 160), "a mizan from its slow beginning to its fast end; Davila (2013)", _TEMPO
            ),
            "texture": create_cited(
                "heterophony", "as Arab art music; Davila (2013), The Andalusian Music of Morocco: Al-Āla",
                _TITLE,
            ),
        },
    ),
    Recipe(
        "hindustani", "Hindustani music",
        "Khyal concerts by tala and laya, and bandish of three ragas as notated by Bhatkhande.",
        "South Asia", ("hi",), _hindustani,
        {
            "saraga-annotations": "Srinivasamurthy et al. (2021), Saraga: open datasets of Indian art music",
            "hindustani-sangeet": "Misra et al., Sangeet; Bhatkhande (1923), Kramik Pustak Malika",
        },
        {"texture": create_cited("drone", "the tanpura; Jairazbhoy (1971), The Rāgs of North Indian Music", _DRONE)},
    ),
    Recipe(
        "carnatic", "Carnatic music",
        "Concerts of South Indian art music by tala; ragas as often as they were sung, scales by melakarta.",
        "South Asia", ("te", "ta", "sa", "kn"), _carnatic,
        {"saraga-annotations": "Srinivasamurthy et al. (2021), Saraga: open datasets of Indian art music"},
        {
            "texture": create_cited("drone", "the tambura; Viswanathan & Allen (2004), Music in South India", _DRONE),
            "groupings": create_cited(
                (("8/4 adi", (4, 2, 2)), ("7/8 misra chapu", (3, 2, 2)), ("5/8 khanda chapu", (2, 3))),
                "Viswanathan & Allen (2004), Music in South India",
                _TALAS,
            ),
        },
    ),
    Recipe(
        "chinese-han-folk", "Chinese Han folk song",
        "Songs of Han villages and of Shanxi, pentatonic, named by the last note.",
        "East Asia", ("zh",), _han,
        {"essen": "Schaffrath (1995), The Essen Folksong Collection, ed. Huron, CCARH"},
        {
            "tempo_bpm": create_cited((60, 84, 116), "from mountain songs to ditties; Jones (1995)", _TEMPO),
            "texture": create_cited(
                "heterophony", "Jones (1995), Folk Music of China: Living Instrumental Traditions",
                _EAST_ASIA,
            ),
        },
    ),
    Recipe(
        "jingju", "Jingju (Beijing opera)",
        "Arias of dan and laosheng in xipi and erhuang.",
        "East Asia", ("zh",), _jingju,
        {"jingju": "Caro Repetto & Serra (2017), A collection of scores for jingju singing research, ISMIR"},
        {
            "tempo_bpm": create_cited((48, 80, 150), "manban, yuanban and kuaiban; Wichmann (1991)", _TEMPO),
            "texture": create_cited(
                "heterophony", "Wichmann (1991), Listening to Theatre: The Aural Dimension of Beijing Opera",
                _EAST_ASIA,
            ),
        },
    ),
    Recipe(
        "mandopop", "Mandarin pop",
        "Chinese pop songs from the 1950s to about 2010, as arranged for piano by musicians.",
        "East Asia", ("zh",), _mandopop,
        {"pop909-index": "Wang et al. (2020), POP909: a pop-song dataset for music arrangement generation, ISMIR"},
        {"groove": create_cited("ballad", "Wang et al. (2020), POP909: arrangements of ballads for piano", _UNSEEN)},
    ),
    Recipe(
        "japanese-minyo", "Japanese min'yō",
        "Folk songs of 46 prefectures from the Nihon min'yō taikan, as pitch sequences.",
        "East Asia", ("ja",), _minyo,
        {"japan-english-folk": "Savage et al. (2022), Sequence alignment of folk song melodies, Current Biology 32"},
        {
            "tempo_bpm": create_cited((66, 90, 120), "metred songs, of work and of bon dances; Hughes (2008)", _TEMPO),
            "texture": create_cited("heterophony", "Hughes (2008), Traditional Folk Song in Modern Japan", _EAST_ASIA),
        },
    ),
    Recipe(
        "korean-jeongak", "Korean jeongak",
        "Court and aristocratic music from the jeongganbo of the National Gugak Center; a jeonggan is the beat.",
        "East Asia", ("ko",), _jeongak,
        {"korean-jeongganbo": "Han et al. (2024), Six dragons fly again, ISMIR; National Gugak Center"},
        {
            "tempo_bpm": create_cited(
                (30, 45, 66), "from sangnyeongsan to taryeong; Provine et al. (2002), Garland Encyclopedia 7", _TEMPO
            ),
            "texture": create_cited(
                "heterophony", "Provine, Tokumaru & Witzleben (2002), Garland Encyclopedia 7: East Asia",
                _EAST_ASIA,
            ),
        },
    ),
    Recipe(
        "javanese-gamelan", "Javanese gamelan",
        "Slendro and pelog of Central Javanese court gamelans; tuning only.",
        "South-East Asia", ("jv",), _gamelan,
        {"damusc": "McBride, Passmore & Tlusty (2023), DaMuSc, PLoS ONE; Surjodiningrat, Sudarjana & Susanto (1972)"},
        {
            "tempo_bpm": create_cited(
                (40, 60, 100), "balungan in irama dadi to lancar; Brinner (2008), Music in Central Java", _TEMPO
            ),
            "texture": create_cited("heterophony", "Sutton (1991), Traditions of Gamelan Music in Java", _GAMELAN),
        },
    ),
    Recipe(
        "irish-traditional", "Irish traditional dance music",
        "Reels, jigs, hornpipes and polkas of Ceol Rince na hÉireann.",
        "Europe", ("ga", "en"), _irish,
        {"irish-ceol-rince": "Diamond, Shahid & McDermott (2022), Ceol Rince na hÉireann corpus; Bill Black's ABC"},
        {
            "tempo_bpm": create_cited(
                (112, 118, 127), "the dancers' steps, two in a bar; Breathnach (1963), Ceol Rince na hÉireann", _STEPS
            ),
            "texture": create_cited("monophony", "Breathnach (1971), Folk Music and Dances of Ireland", _TITLE),
        },
    ),
    Recipe(
        "swedish-polska", "Swedish polska",
        "Polskas, slängpolskas and kindred fiddle tunes from folkwiki.se.",
        "Europe", ("sv",), _swedish,
        {"swedish-folkwiki": "folkwiki.se and its transcribers"},
        {
            "groove": create_cited(
                "polska", "Ahlbäck (1989), Karaktäristiska egenskaper för låttyper i svensk folkmusiktradition",
                _UNSEEN,
            ),
        },
        absent={"timing": "the asymmetric beat is not in the notation"},
    ),
    Recipe(
        "klezmer", "Klezmer",
        "Beregovski's transcriptions of East European Jewish instrumental music.",
        "Europe", ("yi",), _klezmer,
        {"klezmer-beregovski": "Malin & Shanahan (2024), Music Theory Online; Beregovski's collection"},
        {
            "tempo_bpm": create_cited((84, 116, 138), "from khosidl to freylekhs; Strom (2002)", _TEMPO),
            "texture": create_cited("chordal", "Feldman (2016), Klezmer: Music, History, and Memory", _TITLE),
            "groove": create_cited("bulgar", "Strom (2002), The Book of Klezmer", _UNSEEN),
        },
    ),
    Recipe(
        "german-folk", "German folk song",
        "Songs of the Essen collection from Erk, Böhme, Zuccalmaglio and others.",
        "Europe", ("de",), _german,
        {"essen": "Schaffrath (1995), The Essen Folksong Collection, ed. Huron, CCARH"},
        {"tempo_bpm": create_cited((76, 96, 120), "Mäßig to Munter; Erk & Böhme (1893), Liederhort", _TEMPO)},
        absent={"texture": "the collection is unaccompanied melody; the base mapping's chords stay"},
    ),
    Recipe(
        "british-american-ballad", "British and American ballad",
        "English-language ballads (Child and kin) from Britain and North America, as pitch sequences.",
        "Europe and North America", ("en", "sco"), _ballad,
        {"japan-english-folk": "Savage et al. (2022), Sequence alignment of folk song melodies, Current Biology 32"},
        {
            "tempo_bpm": create_cited((63, 80, 100), "unaccompanied narrative song; Bronson (1959-72)", _TEMPO),
            "texture": create_cited(
                "monophony", "Bronson (1959-72), The Traditional Tunes of the Child Ballads", _TITLE
            ),
        },
    ),
    Recipe(
        "jazz-swing", "Jazz",
        "Transcribed solos from 1925 to 2009, swing to post-bop, each note timed.",
        "North America", ("en",), _jazz,
        {"jazz-weimar": "Pfleiderer et al. (2017), Inside the Jazzomat; Weimar Jazz Database (ODbL)"},
        {"groove": create_cited("swing", "Riley (1994), The Art of Bop Drumming", _UNSEEN)},
    ),
    Recipe(
        "cuban-son", "Cuban son",
        "Clave, tres, bass and drums of son and salsa, timed onset by onset; no pitch in the corpus.",
        "Caribbean", ("es",), _son,
        {"cuban-son-onsets-iemp": "Poole, Tarsitani & Clayton (2018), IEMP Cuban Son and Salsa; Eerola, onsetsync"},
        {
            "texture": create_cited(
                "chordal", "Manuel (1985), The Anticipated Bass in Cuban Popular Music, LAMR 6(2):249-261",
                _MANUEL,
            ),
            "groove": create_cited("son", "Mauleón (1993), Salsa Guidebook for Piano and Ensemble", _UNSEEN),
        },
    ),
    Recipe(
        "georgian-vocal", "Georgian vocal music",
        "Three-part song as measured on church recordings and Svan dirges: steps of nearly equal size; tuning only.",
        "Caucasus", ("ka",), _georgian,
        {"damusc": "McBride, Passmore & Tlusty (2023), DaMuSc, PLoS ONE; Scherbaum et al.; Mzhavanadze & Scherbaum"},
        {
            "tempo_bpm": create_cited((50, 66, 96), "table songs and chant; Jordania (2006)", _TEMPO),
            "texture": create_cited("polyphony", "Jordania (2006), Who Asked the First Question?", _GEORGIA),
        },
    ),
    Recipe(
        "western", "Western (plain default)", "No tradition's own habits: what the mapper learned stays untouched.",
        "none", (), _western, {},
        {"texture": create_cited("chordal", "Aldwell & Schachter (1978), Harmony and Voice Leading", _UNSEEN)},
        dict.fromkeys(PARAMETERS, _MAPPED),
    ),
)  # fmt: skip

RECIPES = tuple(add_practice(recipe) for recipe in _MEASURED)
