"""The terms of the sets of models, as files: licences.json and models.spdx.json of each, and models/LICENCES.md.

    python -m kelly_live.lab.model_terms models            # write them
    python -m kelly_live.lab.model_terms models --check    # or hold them against this table (in CI)

SOURCES and SETS are the table: who changes what a part is made from changes it here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.model_licences import FILE, FORMAT, ModelSource
from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS

SPDX_FILE = "models.spdx.json"
OVERVIEW_FILE = "LICENCES.md"
_OVERVIEW_MARK = "<!-- the sets: made by `python -m kelly_live.lab.model_terms models` -->"
_CREATED = "2026-11-29T00:00:00Z"  # of the SPDX documents: fixed, so that the same table gives the same file

SOURCES = {
    "pop909": ModelSource(
        "POP909", "MIT", "POP909, Wang, Chen, Jiang, Zhang, Xu, Dai & Xia, ISMIR 2020",
        "https://github.com/music-x-lab/POP909-Dataset",
    ),
    "openscore": ModelSource(
        "OpenScore Lieder", "CC0-1.0", "OpenScore Lieder: Gotham & Jonas, The OpenScore Lieder Corpus, MEC 2021",
        "https://github.com/OpenScore/Lieder",
    ),
    "cues": ModelSource(
        "MusicScienceData", "MIT", "MusicScienceData by Tuomas Eerola: Eerola & Vuoskoski, Psychol. Music 39:18, 2011",
        "https://github.com/tuomaseerola/MusicScienceData",
    ),
    "cue_literature": ModelSource(
        "Published directions and sizes of musical cues", "LicenseRef-facts",
        "Juslin & Laukka 2003; Gabrielsson & Lindström 2010; Eerola, Friberg & Bresin 2013; Huron, Kinney & "
        "Precoda 2006; Temperley & Tan 2013", terms="facts, cited",
    ),
    "word_ratings": ModelSource(
        "Ratings of English emotion terms", "LicenseRef-facts",
        "Russell & Mehrabian 1977, Evidence for a three-factor theory of emotions, J. Res. Pers. 11:273",
        terms="facts, cited",
    ),
    "trompa": ModelSource(
        "TROMPA-MER", "AGPL-3.0-only", "TROMPA-MER, Gómez-Cañón et al. 2022, J. Intell. Inf. Syst.",
        "https://github.com/juansgomez87/vis-mtg-mer",
    ),
    "gmd": ModelSource(
        "Groove MIDI Dataset", "CC-BY-4.0",
        "Groove MIDI Dataset, Gillick, Roberts, Engel, Eck & Bamman 2019 (Google), CC BY 4.0; the tables are adapted "
        "from it",
        "https://magenta.tensorflow.org/datasets/groove",
    ),
    "crema_d": ModelSource(
        "CREMA-D", "ODbL-1.0",
        "Contains information from CREMA-D (Cao et al. 2014), which is made available under the Open Database License; "
        "its contents under the Database Contents License 1.0",
        "https://github.com/CheyneyComputerScience/CREMA-D",
    ),
    "emodb": ModelSource("EmoDB", "CC0-1.0", "EmoDB, Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss 2005"),
    "emogator": ModelSource("EmoGator", "Apache-2.0", "EmoGator, Buhl & Cooper 2023", "https://github.com/fredbuhl/EmoGator"),
    "musicnn": ModelSource(
        "MSD_musicnn", "ISC", "Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019; Jordi Pons",
        "https://github.com/jordipons/musicnn",
    ),
    "smart_turn": ModelSource(
        "Smart Turn 3.2 (of pipecat-ai)", "BSD-2-Clause", "Copyright (c) 2024-2026, Daily",
        "https://github.com/pipecat-ai/smart-turn",
    ),
    "whisper_tiny": ModelSource(
        "Whisper tiny", "MIT", "Copyright (c) 2022 OpenAI", "https://github.com/openai/whisper"
    ),
    "fluidr3": ModelSource(
        "FluidR3_GM (soundfont: music was rendered with it)", "MIT", "FluidR3 GM by Frank Wen"
    ),
    "musescore_general": ModelSource(
        "MuseScore General (soundfont: music was rendered with it)", "MIT",
        "MuseScore General by S. Christian Collins, after FluidR3 by Frank Wen and FluidR3Mono by Michael Cowgill",
    ),
    "csound_gmbank": ModelSource(
        "sf_GMbank of Csound (soundfont: music was rendered with it)", "LicenseRef-public-domain",
        "sf_GMbank.sf2 of Csound, public domain", "https://github.com/csound/csound", terms="public domain",
    ),
    "ravdess": ModelSource(
        "RAVDESS speech and song", "CC-BY-NC-SA-4.0", "RAVDESS, Livingstone & Russo 2018, PLoS ONE 13(5):e0196391"
    ),
    "nemo": ModelSource("nEMO", "CC-BY-NC-SA-4.0", "nEMO, Christop 2024"),
    "ased": ModelSource(
        "ASED", "LicenseRef-not-stated", "ASED, Retta, Sutcliffe, Almekhlafi et al. 2022",
        terms="no licence stated; citation asked"
    ),
    "emotify": ModelSource(
        "Emotify", "LicenseRef-non-commercial", "Emotify, Aljanaki, Wiering & Veltkamp 2015",
        terms="citation asked; the recordings are non-commercial",
    ),
    "emopia": ModelSource("EMOPIA", "CC-BY-NC-SA-4.0", "EMOPIA, Hung, Ching, Doh, Kim, Nam & Yang, ISMIR 2021"),
    "vgmidi": ModelSource(
        "VGMIDI", "LicenseRef-not-stated", "VGMIDI, Ferreira & Whitehead, ISMIR 2019",
        terms="no licence stated; research use"
    ),
    "madmom": ModelSource(
        "beats by madmom's models", "CC-BY-NC-SA-4.0", "madmom, Böck, Korzeniowski, Schlüter, Krebs & Widmer 2016"
    ),
    "cultures": ModelSource(
        "presets of traditions whose corpora are not open", "LicenseRef-mixed",
        "models/research/culture.md lists each corpus and its terms",
        terms="aggregates of corpora, some non-commercial, some without a stated licence",
    ),
    "open_cultures": ModelSource(
        "presets of traditions from open corpora, and cited values", "LicenseRef-facts",
        "models/open/culture.md lists each corpus and its terms",
        terms="aggregates of corpora under open licences; facts, cited",
    ),
}  # fmt: skip

_REFERENCES = {
    "LicenseRef-facts": "Figures from publications and aggregate statistics, cited; no licence is needed for facts.",
    "LicenseRef-public-domain": "The file says that it is in the public domain; any use.",
    "LicenseRef-not-stated": "The source states no licence. Research use, with the citation that its authors ask.",
    "LicenseRef-non-commercial": "Non-commercial use, with the citation that the authors ask.",
    "LicenseRef-mixed": "Aggregates of several corpora, each under its own terms, some of them non-commercial.",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a set. `file` is in its folder, in `open` (`shared`), or beside the code (`kelly_live/…`)."""

    part: str
    what: str
    file: str
    licence: str
    sources: tuple[str, ...]
    commercial_use: bool = True
    shared: bool = False


EARS = ("musicnn", "smart_turn", "whisper_tiny")
SOUNDFONTS = ("fluidr3", "musescore_general")
OPEN_SOUNDFONTS = (*SOUNDFONTS, "csound_gmbank")  # of `corpora/open_music.py`
_SHARED = (
    Part("chords", "hears chords (--follow chords)", "kelly_live/sync/chord_model.npz", "MIT", ("pop909", *SOUNDFONTS)),
    Part("note chords", "hears chords in notes", "kelly_live/sync/note_chord_model.npz", "MIT", ("pop909",)),
)
_DRUMMING = Part("drumming", "how drums are struck", "drumming.json", "CC-BY-4.0", ("gmd",))
_MELODY = Part("melody", "the player melody-neural", "melody.safetensors", "MIT", ("pop909",))
_EAR_TERMS = "ISC AND BSD-2-Clause AND MIT"


def _research(part: str, what: str, file: str, licence: str, sources: Sequence[str]) -> Part:
    return Part(part, what, file, licence, tuple(sources), commercial_use=False)


@dataclass(frozen=True, slots=True)
class ModelSetTerms:
    """A set of models as its licences.json states it."""

    use: str
    commercial_use: bool
    parts: tuple[Part, ...]


SETS = {
    OPEN_MODELS: ModelSetTerms(
        "any use, paid concerts included, with the credit lines of `kelly-live models open`",
        True,
        (
            Part(
                "emotion", "emotion in sound", "emotion.safetensors", _EAR_TERMS,
                (
                    "crema_d", "emodb", "emogator", "openscore", "pop909", "cues", "cue_literature", *EARS,
                    *OPEN_SOUNDFONTS,
                ),
            ),
            Part(
                "temporal", "emotion over time", "temporal.safetensors", "MIT",
                ("crema_d", "emodb", "emogator", "openscore", "pop909", *OPEN_SOUNDFONTS),
            ),
            Part(
                "mapper", "from emotion to music", "mapper.safetensors", "MIT",
                ("pop909", "openscore", "gmd", "cues", "cue_literature"),
            ),
            Part("vocabulary", "chord moves, rhythms, steps", "vocabulary.json", "MIT", ("pop909", "openscore", "gmd")),
            Part("culture", "parameters of traditions", "culture.safetensors", "MIT", ("open_cultures",)),
            Part("tracker", "hears beat and key (--follow)", "tracker.json", "MIT", ("pop909", "emodb", *SOUNDFONTS)),
            Part("words", "emotion words (--words)", "words.json", "MIT", ("word_ratings",)),
            *_SHARED,
            _DRUMMING,
            _MELODY,
        ),
    ),
    RESEARCH_MODELS: ModelSetTerms(
        "research and private use only, never commercial: most of what they learned from forbids it",
        False,
        (
            _research(
                "emotion", "emotion in sound", "emotion.safetensors", f"CC-BY-NC-SA-4.0 AND {_EAR_TERMS}",
                ("ravdess", "nemo", "emodb", "ased", "emotify", "emopia", "vgmidi", *EARS, *SOUNDFONTS),
            ),
            _research(
                "temporal", "emotion over time", "temporal.safetensors", "CC-BY-NC-SA-4.0",
                ("ravdess", "nemo", "emodb", "ased", "emotify", "emopia", "vgmidi", *SOUNDFONTS),
            ),
            _research(
                "mapper", "from emotion to music", "mapper.safetensors", "CC-BY-NC-SA-4.0",
                ("emopia", "vgmidi", "cues", "cue_literature"),
            ),
            _research(
                "vocabulary", "chord moves, rhythms, steps", "vocabulary.json", "CC-BY-NC-SA-4.0",
                ("pop909", "emopia", "vgmidi"),
            ),
            _research(
                "culture", "parameters of traditions", "culture.safetensors", "LicenseRef-mixed",
                ("cultures", "open_cultures"),
            ),
            _research(
                "tracker", "hears beat and key (--follow)", "tracker.json", "CC-BY-NC-SA-4.0",
                ("pop909", "emotify", "madmom"),
            ),
            _research(
                "gems", "what music induces (GEMS)", "gems.safetensors", "LicenseRef-non-commercial", ("emotify",),
            ),
            _research(
                "words", "emotion words (--words)", "words.json", "AGPL-3.0-only", ("word_ratings", "trompa"),
            ),
            *_SHARED,
            Part(**{**asdict(_DRUMMING), "shared": True}),
            Part(**{**asdict(_MELODY), "shared": True}),
        ),
    ),
}  # fmt: skip


def create_licences(name: str) -> dict[str, Any]:
    """Create the content of a set's licences.json."""
    terms = SETS[name]
    used = {key for part in terms.parts for key in part.sources}
    return {
        "format": FORMAT,
        "set": name,
        "use": terms.use,
        "commercial_use": terms.commercial_use,
        "parts": [asdict(part) for part in terms.parts],
        "sources": {key: asdict(source) for key, source in SOURCES.items() if key in used},
    }


def create_spdx(name: str) -> dict[str, Any]:
    """Create an SPDX 2.3 document of a set: a package a part, and one a source, which the parts were made from."""
    terms = SETS[name]
    used = [key for key in SOURCES if any(key in part.sources for part in terms.parts)]
    parts = [
        {
            **_describe(f"SPDXRef-part-{_identify(part.part)}", f"{name}/{part.part}", part.licence),
            "packageFileName": part.file,
            "attributionTexts": [SOURCES[key].credit for key in part.sources],
        }
        for part in terms.parts
    ]
    sources = [
        {
            **_describe(f"SPDXRef-source-{_identify(key)}", SOURCES[key].name, SOURCES[key].licence),
            "downloadLocation": SOURCES[key].address or "NOASSERTION",
            "attributionTexts": [SOURCES[key].credit],
            **({"comment": SOURCES[key].terms} if SOURCES[key].terms else {}),
        }
        for key in used
    ]
    relations = [
        {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": part["SPDXID"]}
        for part in parts
    ] + [
        {
            "spdxElementId": f"SPDXRef-part-{_identify(part.part)}",
            "relationshipType": "GENERATED_FROM",
            "relatedSpdxElement": f"SPDXRef-source-{_identify(key)}",
        }
        for part in terms.parts
        for key in part.sources
    ]
    licences = " ".join(one["licenseConcluded"] for one in (*parts, *sources))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"kelly-live-models-{name}",
        "documentNamespace": f"https://spdx.org/spdxdocs/kelly-live-models-{name}",
        "creationInfo": {"created": _CREATED, "creators": ["Tool: kelly_live.lab.model_terms"]},
        "packages": [*parts, *sources],
        "relationships": relations,
        "hasExtractedLicensingInfos": [
            {"licenseId": key, "extractedText": text} for key, text in _REFERENCES.items() if key in licences
        ],
    }


def _describe(identifier: str, name: str, licence: str) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
    }


def _identify(text: str) -> str:
    return text.replace(" ", "-").replace("_", "-")


def format_overview() -> str:
    """Format the sets, their parts and sources as the Markdown of models/LICENCES.md."""
    lines = [_OVERVIEW_MARK]
    for name, terms in SETS.items():
        lines += ["", f"## `{name}`: for {terms.use}", "", "| part | file | licence | made from |", "|---|---|---|---|"]
        lines += [
            f"| {part.part} | {part.file}{' (of `open`)' if part.shared else ''} | {part.licence} "
            f"| {', '.join(SOURCES[key].name for key in part.sources)} |"
            for part in terms.parts
        ]
    lines += ["", "## Sources and credit lines", "", "| source | licence | credit |", "|---|---|---|"]
    lines += [
        f"| {source.name} | {source.licence}{f': {source.terms}' if source.terms else ''} "
        f"| {source.credit}{f' {source.address}' if source.address else ''} |"
        for source in SOURCES.values()
    ]
    return "\n".join(lines) + "\n"


def list_files(models: Path) -> Iterator[tuple[Path, str]]:
    """List each file with the content that the table gives it."""
    for name in SETS:
        yield models / name / FILE, json.dumps(create_licences(name), indent=1, ensure_ascii=False) + "\n"
        yield models / name / SPDX_FILE, json.dumps(create_spdx(name), indent=1, ensure_ascii=False) + "\n"
    overview = models / OVERVIEW_FILE
    text = overview.read_text(encoding="utf-8") if overview.is_file() else ""
    yield overview, text.partition(_OVERVIEW_MARK)[0] + format_overview()


def find_stale_files(models: Path) -> list[Path]:
    """Find the files that are not as the table gives them; those of a set that was deleted are not looked for."""
    return [
        path
        for path, content in list_files(models)
        if path.parent.is_dir() and (not path.is_file() or path.read_text(encoding="utf-8") != content)
    ]


def main(arguments: Sequence[str]) -> int:
    """Write or check the files; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kelly_live.lab.model_terms")
    parser.add_argument("models", type=Path, help="the folder of the sets")
    parser.add_argument("--check", action="store_true", help="hold the files against the table")
    options = parser.parse_args(arguments)
    if options.check:
        stale = find_stale_files(options.models)
        for path in stale:
            print(f"{path} is not as the table gives it: python -m kelly_live.lab.model_terms models", file=sys.stderr)
        return 1 if stale else 0
    for path, content in list_files(options.models):
        write_atomically(path, content.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
