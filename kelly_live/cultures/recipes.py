"""The shipped presets, one recipe each: which corpora, what they can say, what is cited, what stays absent and why.

Only what a publication states is cited; a reason is given where a corpus looks as if it could say more than it can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kelly_live.cultures import statistics
from kelly_live.cultures.corpora import abc, irish, makam, pop909, symbtr, weimar, workbook
from kelly_live.cultures.corpora.archive import read_files
from kelly_live.cultures.corpora.kern import read_kern
from kelly_live.cultures.preset import PARAMETERS
from kelly_live.cultures.recipe import Findings, Recipe, cited, from_tunes
from kelly_live.cultures.statistics import grouping, measured
from kelly_live.cultures.tune import Tune

_EDITORIAL = "set by an editor in this corpus, so it measures the editor"
_NO_RHYTHM = "the corpus holds pitches without durations"
_RHYTHM_FIELDS = ("tempo_bpm", "metres", "groupings", "onset_profiles", "rhythms", "density", "npvi")


def without_rhythm(findings: Findings) -> Findings:
    return findings.without(**dict.fromkeys(_RHYTHM_FIELDS, _NO_RHYTHM))


# ---------------------------------------------------------------- Europe


def _irish(corpora: Path) -> Findings:
    tunes = irish.read_irish(corpora)
    found = from_tunes(tunes, "irish-ceol-rince", titles=_DIATONIC, least=20)
    plain = "the corpus' editors took ornaments out"
    return found.without(ornaments=plain, tempo_bpm=_EDITORIAL)


_DIATONIC = {
    "ionian": "Ionian (major)", "dorian": "Dorian", "mixolydian": "Mixolydian", "aeolian": "Aeolian (minor)",
    "lydian": "Lydian", "phrygian": "Phrygian", "locrian": "Locrian",
}  # fmt: skip


def _named_by_fit(tunes: Sequence[Tune]) -> list[Tune]:
    """The tunes, each called by the diatonic mode that fits it best."""
    return [replace(tune, mode=statistics.diatonic_name(tune)) for tune in tunes]


def _swedish(corpora: Path) -> Findings:
    tunes = [tune for tune in abc.read_folkwiki(corpora) if "pols" in tune.group or "polon" in tune.group]
    return from_tunes(tunes, "swedish-folkwiki, polskas and kin", titles=_DIATONIC, least=10)


def _kern(corpora: Path, name: str, inside: str) -> list[str]:
    return [data.decode("latin-1") for path, data in read_files(corpora, name, lambda path: inside in path)]


def _german(corpora: Path) -> Findings:
    tunes = [tune for text in _kern(corpora, "essen", "europa/deutschl/") if (tune := read_kern(text)) is not None]
    found = from_tunes(_named_by_fit(tunes), "essen, Deutschland", titles=_DIATONIC, least=20)
    return found.without(ornaments="the collection notes no ornaments")


def _klezmer(corpora: Path) -> Findings:
    tunes = []
    for text in _kern(corpora, "klezmer-beregovski", "corpus/beregovski"):
        label = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("!!!Mode")), "")
        tune = read_kern(text, transposed=True, mode=_KLEZMER.get(label))
        if tune is not None:
            tunes.append(tune)
    titles = {name: label for label, name in _KLEZMER.items()}
    found = from_tunes(tunes, "klezmer-beregovski", titles=titles)
    return found.without(register="the tunes were moved to common keys")


_KLEZMER = {
    "Minor": "minor", "Freygish": "freygish", "Major": "major", "Altered Dorian": "altered-dorian",
    "Major (Mixolydian)": "mixolydian",
}  # fmt: skip


def _ballad(corpora: Path) -> Findings:
    tunes = _named_by_fit(workbook.read_songs(corpora, "English"))
    found = without_rhythm(
        from_tunes(tunes, "japan-english-folk, English; octaves unfolded the shorter way", titles=_DIATONIC, least=20)
    )
    return found.without(ambitus_semitones="octaves are not in the corpus", ornaments=_NO_RHYTHM)


# ---------------------------------------------------------------- Turkey


def _makam(corpora: Path) -> Findings:
    tunes = symbtr.read_symbtr(corpora)
    found = from_tunes(tunes, "symbtr", titles=_MAKAM, divisions=53, apart=2, grid=symbtr.COMMA, pooled_scale=False)
    by_usul: dict[tuple[str, str], list[Tune]] = defaultdict(list)
    for tune in tunes:
        if tune.group and tune.metre:
            by_usul[tune.metre, tune.group].append(tune)
    groupings, n = [], 0
    for (metre, usul), members in sorted(by_usul.items(), key=lambda item: -len(item[1])):
        units = int(metre.split("/")[0])
        if len(members) >= 20 and 4 <= units <= 16 and (parts := grouping(members, metre, units)):
            groupings.append((f"{metre} {usul.rsplit(' ', 1)[0]}", parts))
            n += len(members)
    known = measured(tuple(groupings), n, "scores", "symbtr: where in the bar the long notes start")
    tuned = makam.performed_tuning(corpora, found.modes)
    return found.also({"groupings": known}, modes=tuned).without(
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


# ---------------------------------------------------------------- East Asia


def _han(corpora: Path) -> Findings:
    texts = _kern(corpora, "essen", "asia/china/han/") + _kern(corpora, "essen", "asia/china/shanxi/")
    tunes = [_on_final(tune) for text in texts if (tune := read_kern(text)) is not None]
    found = from_tunes(
        tunes, "essen, Han and Shanxi; 0 is the last note, which names the mode", titles=_DIAOSHI, pooled_scale=False
    )
    return found.without(ornaments="the collection notes no ornaments")


# The last note's place in the gong collection names the mode (any handbook; Jones 1995 in English).
_FINALS = {0: "gong", 2: "shang", 4: "jue", 7: "zhi", 9: "yu"}
_DIAOSHI = {"gong": "Gong 宫", "shang": "Shang 商", "jue": "Jue 角", "zhi": "Zhi 徵", "yu": "Yu 羽"}


def _on_final(tune: Tune) -> Tune:
    """The tune measured from its last note, and called by it."""
    final = float(tune.cents[-1])
    tonic = None if tune.tonic is None else tune.tonic + final / 100.0
    return replace(tune, cents=tune.cents - final, tonic=tonic, mode=_FINALS.get(round(final / 100.0) % 12))


def _minyo(corpora: Path) -> Findings:
    tunes = workbook.read_songs(corpora, "Japanese")
    titles = {
        tune.mode: tune.mode.replace("minyo", "min'yō").replace("ryukyu", "ryūkyū") for tune in tunes if tune.mode
    }
    found = from_tunes(
        tunes,
        "japan-english-folk, Japanese; 0 is the last note; octaves unfolded the shorter way",
        titles=titles,
        least=20,
        pooled_scale=False,
    )
    return without_rhythm(found).without(ambitus_semitones="octaves are not in the corpus", ornaments=_NO_RHYTHM)


def _mandopop(corpora: Path) -> Findings:
    songs = pop909.read_pop909(corpora)
    found = from_tunes(songs.tunes, "pop909-index, sung melody", titles={"major": "Major", "minor": "Minor"})
    low, centre, high = (float(q) / 127.0 for q in np.percentile(songs.velocities, [10, 50, 90]))
    share = float(np.mean(songs.chord_shares))
    reference = f"pop909-index: chord labels cover {share:.0%} of the time"
    return found.also(
        {
            "dynamics": measured(
                (low, centre, high), len(songs.velocities), "melody notes", "pop909-index, arrangers' velocities"
            ),
            "texture": measured("chordal", len(songs.chord_shares), "songs", reference),
        }
    )


# ---------------------------------------------------------------- Americas


def _jazz(corpora: Path) -> Findings:
    solos = weimar.read_weimar(corpora)
    found = from_tunes(solos.tunes, "jazz-weimar", titles={"major": "Major", "minor": "Minor", "blues": "Blues"})
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
    return found.also(
        {
            "swing_ratio": measured(float(np.median(solos.swing[:, 1])), len(solos.swing), "pairs of eighths", swing),
            "swing_by_tempo": measured(tuple(by_tempo), len(solos.swing), "pairs of eighths", swing),
            "timing": measured((behind, 1.0 - behind - ahead, ahead), n, on_beat, f"{late}; 20 ms counts as on"),
            "microtiming_ms": measured((("solo", 1000.0 * float(np.median(solos.offsets))),), n, on_beat, late),
            "texture": measured("chordal", solos.beats, "beats", chords),
        }
    )


# ---------------------------------------------------------------- the plain default


def _western(corpora: Path) -> Findings:
    return Findings()


_MAPPED = "the base mapping, learned from labelled Western and game music, stays as it is"

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "turkish-makam", "Turkish makam music",
        "Ottoman and Turkish art and folk repertoire: melody over usul cycles in a 53-comma pitch space.",
        "Middle East", ("tr",), _makam,
        {
            "symbtr": "Karaosmanoğlu (2012), A Turkish makam music symbolic database, ISMIR",
            "otmm-makam": "Karakurt, Şentürk & Serra (2016), MORTY: a toolbox for mode recognition, DLfM",
        },
        {"texture": cited("heterophony", "Signell (1977), Makam: Modal Practice in Turkish Art Music")},
    ),
    Recipe(
        "chinese-han-folk", "Chinese Han folk song",
        "Songs of Han villages and of Shanxi, pentatonic, named by the last note.",
        "East Asia", ("zh",), _han,
        {"essen": "Schaffrath (1995), The Essen Folksong Collection, ed. Huron, CCARH"},
        {"texture": cited("heterophony", "Jones (1995), Folk Music of China: Living Instrumental Traditions")},
    ),
    Recipe(
        "mandopop", "Mandarin pop",
        "Chinese pop songs from the 1950s to about 2010, as arranged for piano by musicians.",
        "East Asia", ("zh",), _mandopop,
        {"pop909-index": "Wang et al. (2020), POP909: a pop-song dataset for music arrangement generation, ISMIR"},
    ),
    Recipe(
        "japanese-minyo", "Japanese min'yō",
        "Folk songs of 46 prefectures from the Nihon min'yō taikan, as pitch sequences.",
        "East Asia", ("ja",), _minyo,
        {"japan-english-folk": "Savage et al. (2022), Sequence alignment of folk song melodies, Current Biology 32"},
        {"texture": cited("heterophony", "Hughes (2008), Traditional Folk Song in Modern Japan")},
    ),
    Recipe(
        "irish-traditional", "Irish traditional dance music",
        "Reels, jigs, hornpipes and polkas of Ceol Rince na hÉireann.",
        "Europe", ("ga", "en"), _irish,
        {"irish-ceol-rince": "Diamond, Shahid & McDermott (2022), Ceol Rince na hÉireann corpus; Bill Black's ABC"},
        {"texture": cited("monophony", "Breathnach (1971), Folk Music and Dances of Ireland")},
    ),
    Recipe(
        "swedish-polska", "Swedish polska",
        "Polskas, slängpolskas and kindred fiddle tunes from folkwiki.se.",
        "Europe", ("sv",), _swedish,
        {"swedish-folkwiki": "folkwiki.se and its transcribers"},
        absent={"timing": "the asymmetric beat is not in the notation"},
    ),
    Recipe(
        "klezmer", "Klezmer",
        "Beregovski's transcriptions of East European Jewish instrumental music.",
        "Europe", ("yi",), _klezmer,
        {"klezmer-beregovski": "Malin & Shanahan (2024), Music Theory Online; Beregovski's collection"},
        {"texture": cited("chordal", "Feldman (2016), Klezmer: Music, History, and Memory")},
    ),
    Recipe(
        "german-folk", "German folk song",
        "Songs of the Essen collection from Erk, Böhme, Zuccalmaglio and others.",
        "Europe", ("de",), _german,
        {"essen": "Schaffrath (1995), The Essen Folksong Collection, ed. Huron, CCARH"},
        absent={"texture": "the collection is unaccompanied melody; the base mapping's chords stay"},
    ),
    Recipe(
        "british-american-ballad", "British and American ballad",
        "English-language ballads (Child and kin) from Britain and North America, as pitch sequences.",
        "Europe and North America", ("en", "sco"), _ballad,
        {"japan-english-folk": "Savage et al. (2022), Sequence alignment of folk song melodies, Current Biology 32"},
        {"texture": cited("monophony", "Bronson (1959-72), The Traditional Tunes of the Child Ballads")},
    ),
    Recipe(
        "jazz-swing", "Jazz",
        "Transcribed solos from 1925 to 2009, swing to post-bop, each note timed.",
        "North America", ("en",), _jazz,
        {"jazz-weimar": "Pfleiderer et al. (2017), Inside the Jazzomat; Weimar Jazz Database (ODbL)"},
    ),
    Recipe(
        "western", "Western (plain default)", "No tradition's own habits: what the mapper learned stays untouched.",
        "none", (), _western, {},
        {"texture": cited("chordal", "Aldwell & Schachter (1978), Harmony and Voice Leading")},
        dict.fromkeys(PARAMETERS, _MAPPED),
    ),
)  # fmt: skip
