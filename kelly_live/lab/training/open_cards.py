"""Cards of the open emotion net and temporal model: sources with terms and credits, and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kelly_live.lab.training.scores import Score, format_scores

# Keys of the sources, as `licences.json` names them.
OPEN_SOURCES = (
    "crema_d", "emodb", "emogator", "openscore", "pop909", "cues", "cue_literature", "fluidr3", "musescore_general",
    "csound_gmbank", "musicnn", "smart_turn", "whisper_tiny",
)  # fmt: skip
OPEN_TERMS = "any use, with the notices of the card; contains information from CREMA-D (ODbL 1.0)"
LICENCE = """\
**Any use, paid or not**, under MIT like the code, with these notices kept. *Contains information from CREMA-D, which is
made available under the Open Database License (ODbL) 1.0.* A database that you publish and that is made of CREMA-D
stays under ODbL; music, recordings and sessions made with these weights do not.
"""
CREDITS = """\
- **CREMA-D** North American English speech (Cao et al. 2014), ODbL 1.0, contents DbCL 1.0: half the actor's
  instruction, half what about ten listeners to the voice alone chose
- **EmoDB** German speech (Burkhardt et al. 2005), CC0 1.0
- **EmoGator** non-verbal bursts (Buhl & Cooper 2023), Apache 2.0; under a third of the voices' share
- **OpenScore Lieder** (Gotham & Jonas 2021, MEC), CC0 1.0, and **POP909** (Wang et al. 2020, ISMIR), MIT: excerpts,
  varied in tempo, key, mode, register, level, articulation and pedal, rendered with fluidsynth and a third each with
  **FluidR3_GM** (Frank Wen, MIT), **MuseScore General** (S. Christian Collins, MIT) and Csound's **sf_GMbank** (public
  domain), three in four on a piano, the others on other instruments. Nobody rated them: their valence
  and arousal come from the cues of Eerola, Friberg & Bresin (2013) and of **MusicScienceData** (MIT; Eerola &
  Vuoskoski 2011), `kelly_live/lab/corpora/open_music.py`
- Frozen trunk: **MSD_musicnn** of `musicnn` 0.1.0 (Pons & Serra 2019), ISC
- Frozen speech encoder: the first two blocks of **Smart Turn 3.2** in `pipecat-ai` (BSD 2-clause: Copyright (c)
  2024-2026, Daily), which is **Whisper tiny** (OpenAI 2022, MIT), tuned

No RAVDESS, nEMO, ASED, Emotify, EMOPIA or VGMIDI: they are not read in training.
"""


def format_open_emotion_card(
    card: dict[str, Any], scores: Sequence[Score], baseline: Sequence[Score], size_bytes: int
) -> str:
    """Format the card of the open emotion net."""
    run, clips = card["settings"], card["clips"]
    net = {(s.dataset, s.metric): s.value for s in scores}
    losses = [
        f"{b.dataset} {b.metric} ({b.value:.3f} against {net[b.dataset, b.metric]:.3f})"
        for b in baseline
        if (b.dataset, b.metric) in net and b.value > net[b.dataset, b.metric]
    ]
    sounds = "\n".join(f"| {name} | {value:.3f} |" for name, value in card["sounds"].items())
    songs = ("openscore", "pop909")
    sessions = [s for s in map(Score.from_dict, card["sessions"]) if s.dataset not in songs]
    away = [Score.from_dict(row) for row in card.get("away", [])]
    return f"""# emotion.safetensors (open): the emotion of a voice or of music

`MultiScaleEmotionNet`, {size_bytes / 1e6:.1f} MB, the same shapes as the research set's. One 250 ms hop of the reader:
{card["hop_milliseconds"]:.1f} ms (median, one CPU thread, on a busy shared machine).

## Licence
{LICENCE}
## Learned from
{CREDITS}
{clips["fit"]} clips (at most {card["most"]} a data set; half of them augmented: room, microphone, noise, gain) and
{clips["fold"]} more as they are; seven in ten drawn voices get another speaker's average (`speaker_swap.py`). Nets that
each missed one of {run["cross"]} parts of the speakers and songs decided when to stop and the weight of each member;
half of the confidence in voices was fitted on nets that had missed a whole corpus (CREMA-D, EmoDB).

    kelly-live lab train front-end musicnn-0.1.0-py3-none-any.whl pipecat_ai-1.14.0-py3-none-any.whl
    kelly-live lab train emotion --set open --data ../shared/data --front-end front_end.safetensors \\
        --most {card["most"]} --epochs {run["epochs"]} --cross {run["cross"]} --seed {run["seed"]}

{card["epochs"]} epochs; mean score of the held-out parts {card["fold_score"]:.4f}.

## Measured on `val`
Other speakers of the sets that it learned from; nothing was chosen on them. A clip's answer is the mean over its
windows, the net alone. Intervals: 1000 bootstrap resamples of the clips. `crema_d` accuracy is against the actor's
instruction. EmoGator: "open 8" is its eight classes. The baseline is one logistic regression a data set on pooled
cepstra, pitch, loudness and pace.

{format_scores(scores)}

The baseline is ahead on: {"; ".join(losses) if losses else "nothing"}.

## The same in sessions
Each speaker's clips in a random order, one after another, as a session is: the net adapts to the voice and the room
(`emotion/nets/adaptation.py`, prior 10 s of voice), from nothing at the first clip on. The table above is without.

{format_scores(sessions)}

## Measured on the training clips, while they were held out
Half of them augmented; for the songs, truth is the teacher's label, not a listener's.

{format_scores(away) if away else "Not measured: trained with --cross 1."}

## Background sounds without emotion
| | |
|---|---|
{sounds}

## What it is not
Acted speech in two languages, bursts, and songs that nobody rated: a real quarrel, another language or a band will be
harder than these numbers. It must not be used to judge people.
"""


def format_open_temporal_card(card: dict[str, Any], scores: Sequence[Score], size_bytes: int) -> str:
    """Format the card of the open temporal model."""
    stories = card["stories"]
    rest = "\n".join(f"| {name} | {value:.2f} |" for name, value in card["restlessness"].items())
    rows = "\n".join(
        f"| {s.metric} | {s.dataset} | {s.value:.3f} | {s.low:.3f} – {s.high:.3f} | {s.n} |" for s in scores
    )
    return f"""# temporal.safetensors (open): emotion over time

`EmotionTransitionModel`, {size_bytes / 1e6:.2f} MB, the same shapes as the research set's.

## Licence
{LICENCE}
## Learned from
The open emotion net's answers, hop by hop, over {stories["fit"]} sequences ({stories["stop"]} more to stop by) of
speakers and songs that the net did not learn from: clips of one speaker in a row, so that each change is known, and
rendered songs with the labels of the cues' teacher. Credits as in `emotion.md`.

    kelly-live lab train temporal --set open --data ../shared/data \\
        --most {card["most"]} --epochs {card["epochs"]} --scenes {card["scenes"]}

## Measured on {stories["val"]} sequences from the `val` parts
Error (lower is better) against what was true at that moment and 1, 4 and 8 s later; the moving average is the best of
0.5, 1, 2 and 4 s, chosen on these very sequences, in its favour.

| metric | model | error | 95 % interval | n |
|---|---|---|---|---|
{rows}

## Stability
| | |
|---|---|
{rest}
"""
