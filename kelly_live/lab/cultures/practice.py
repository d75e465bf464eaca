"""How each tradition is played: its groove, and its instruments as the nearest General MIDI programs.

No corpus says it; the instruments are what encyclopaedias name first, and the nearest program is our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from kelly_live.cultures.preset import Known, Mode
from kelly_live.lab.cultures.recipe import Recipe, create_cited

_MEMORY = "nothing; from memory"
_PIANO, _DULCIMER, _REED_ORGAN, _ACCORDION, _NYLON_GUITAR, _STEEL_GUITAR = 0, 15, 20, 21, 24, 25
_ACOUSTIC_BASS, _VIOLIN, _VIOLA, _CELLO, _CONTRABASS = 32, 40, 41, 42, 43
_VIBRAPHONE, _XYLOPHONE, _TUBULAR_BELLS, _CHOIR, _VOICE = 11, 13, 14, 52, 53
_TRUMPET, _TENOR_SAX, _CLARINET, _FLUTE, _SHAKUHACHI = 56, 66, 71, 73, 77
_SITAR, _BANJO, _SHAMISEN, _KOTO, _BAGPIPE, _FIDDLE, _SHANAI = 104, 105, 106, 107, 109, 110, 111


class Practice(NamedTuple):
    """A tradition's groove with its source, and its programs for melody, chords and bass with what they stand for."""

    groove: str
    source: str
    programs: tuple[int, ...]
    instruments: str


_PRACTICES: Mapping[str, Practice] = {
    "turkish-makam": Practice(
        "usul", "Özkan (1984), Türk Mûsıkîsi Nazariyatı ve Usûlleri (checked: strokes of ten usuls, on teaching pages)",
        (_NYLON_GUITAR, _DULCIMER, _CELLO), "oud, kanun, cello",
    ),
    "arab-maqam": Practice(
        "iqa", "Farraj & Abu Shumays (2019), Inside Arabic Music (checked: maqsum, on a page of drum rhythms)",
        (_SHAKUHACHI, _DULCIMER, _NYLON_GUITAR), "nay, qanun, oud",
    ),
    "moroccan-al-ala": Practice("", "", (_VIOLA, _NYLON_GUITAR, _CELLO), "kamanja (a viola), oud, rabab"),
    "persian-dastgah": Practice("", "", (_DULCIMER, _BANJO, _CELLO), "santur, tar, kamancheh"),
    "hindustani": Practice(
        "tala", "Courtney (1995), Fundamentals of Tabla (checked: the strokes of dha and dhin, on a beginners' page)",
        (_FIDDLE, _SITAR, _SITAR), "sarangi, tanpura, tanpura",
    ),
    "carnatic": Practice(
        "solkattu", f"Viswanathan & Allen (2004), Music in South India (checked: {_MEMORY})",
        (_VIOLIN, _SITAR, _SITAR), "violin, tambura, tambura",
    ),
    "chinese-han-folk": Practice("", "", (_FLUTE, _KOTO, _SHAMISEN), "dizi, guzheng, sanxian"),
    "jingju": Practice(
        "banyan", "Wichmann (1991), Listening to Theatre (checked: nothing; from memory)",
        (_FIDDLE, _BANJO, _SHAMISEN), "jinghu, yueqin, sanxian",
    ),
    "japanese-minyo": Practice(
        "bon", "Hughes (2008), Traditional Folk Song in Modern Japan (checked: nothing; from memory)",
        (_SHAKUHACHI, _SHAMISEN, _KOTO), "shakuhachi, shamisen, koto",
    ),
    "korean-jeongak": Practice(
        "jangdan", "Provine et al. (2002), Garland Encyclopedia 7 (checked: the six beats of dodeuri, in a wiki)",
        (_SHANAI, _KOTO, _KOTO), "piri, gayageum, geomungo",
    ),
    "javanese-gamelan": Practice(
        "gamelan", "Sutton (1991), Traditions of Gamelan Music in Java (checked: Wikipedia, Colotomy; not the book)",
        (_VIBRAPHONE, _XYLOPHONE, _TUBULAR_BELLS), "gender, gambang, gongs",
    ),
    "irish-traditional": Practice(
        "reel", "Breathnach (1971), Folk Music and Dances of Ireland (checked: nothing; from memory)",
        (_FIDDLE, _ACCORDION, _BAGPIPE), "fiddle, accordion, uilleann pipes",
    ),
    "swedish-polska": Practice("", "", (_FIDDLE, _REED_ORGAN, _CONTRABASS), "fiddle, pump organ, bass"),
    "klezmer": Practice("", "", (_CLARINET, _ACCORDION, _CONTRABASS), "clarinet, accordion, bass"),
    "british-american-ballad": Practice("", "", (_VOICE, _VOICE, _VOICE), "a voice"),
    "jazz-swing": Practice("", "", (_TENOR_SAX, _PIANO, _ACOUSTIC_BASS), "tenor saxophone, piano, double bass"),
    "cuban-son": Practice("", "", (_TRUMPET, _STEEL_GUITAR, _ACOUSTIC_BASS), "trumpet, tres, double bass"),
    "georgian-vocal": Practice("", "", (_CHOIR, _CHOIR, _CHOIR), "three voices"),
}  # fmt: skip
# Vadi and samvadi, the degrees that a raga dwells on first and second, in semitones; Bhatkhande's, from memory.
_VADIS: Mapping[str, tuple[int, int]] = {
    "ahir-bhairav": (5, 0), "bairagi": (5, 0), "bhairabi": (5, 0), "bhairav": (8, 1), "bhimpalas": (5, 0),
    "bhoop": (4, 9), "bihag": (4, 11), "bilaskhani-todi": (8, 3), "dhani": (3, 10), "hameer": (9, 4), "jog": (4, 10),
    "kalyan": (4, 11), "lalat": (5, 0), "malkauns": (5, 0), "marubihag": (4, 11), "marwa": (1, 9), "megh": (0, 7),
    "multani": (7, 0), "poorvi": (4, 11), "shree": (1, 7), "shuddh-sarang": (2, 7), "todi": (8, 3),
}  # fmt: skip
_VADI_SHARE, _SAMVADI_SHARE = 0.5, 0.3
_GATRA = create_cited((("4/4", 1.0),), "the gatra of four beats; Sutton (1991)", "Wikipedia, Colotomy; not the book")


def add_vadi(mode: Mode) -> Mode:
    """Add to a raga the degrees on which it rests, where they are not measured."""
    pair = _VADIS.get(mode.name)
    if pair is None or mode.rests is not None or mode.scale_cents is None or mode.degree_weights is None:
        return mode
    rests = [(1.0 - _VADI_SHARE - _SAMVADI_SHARE) * weight for weight in mode.degree_weights.value]
    for semitone, share in zip(pair, (_VADI_SHARE, _SAMVADI_SHARE), strict=True):
        degrees = mode.scale_cents.value
        rests[min(range(len(degrees)), key=lambda n: abs(degrees[n] - 100.0 * semitone))] += share
    source = f"vadi and samvadi; Bhatkhande (1909-32); their shares of {_VADI_SHARE} and {_SAMVADI_SHARE} are ours"
    return replace(mode, rests=create_cited(tuple(rests), source, _MEMORY))


def add_practice(recipe: Recipe) -> Recipe:
    """Add a tradition's groove and instruments to what its recipe cites."""
    practice = _PRACTICES.get(recipe.name)
    if practice is None:
        return recipe
    cited: dict[str, Known[Any]] = {}
    if practice.groove:
        cited["groove"] = Known(practice.groove, "cited", None, "", practice.source)
    if recipe.name == "javanese-gamelan":
        cited["metres"] = _GATRA
    programs = tuple(zip(("melody", "chords", "bass"), practice.programs, strict=True))
    cited["programs"] = create_cited(
        programs, f"{practice.instruments}, as the nearest programs of General MIDI", _MEMORY
    )
    return replace(recipe, cited_parameters={**recipe.cited_parameters, **cited})
