"""Model cards in Markdown: what a checkpoint learned from, its scores and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kelly_live.lab.training.scores import Score, format_scores

CREDITS = """\
- **RAVDESS** speech and song (Livingstone & Russo 2018), CC BY-NC-SA 4.0
- **nEMO** Polish speech (Christop 2024), CC BY-NC-SA 4.0
- **EmoDB** German speech (Burkhardt et al. 2005), CC0 1.0
- **ASED** Amharic speech (Retta et al. 2022), no licence stated, cited as its authors ask
- **Emotify** (Aljanaki, Wiering & Veltkamp 2015), citation asked, recordings non-commercial
- **EMOPIA** (Hung et al. 2021), CC BY-NC-SA 4.0, rendered with fluidsynth, FluidR3_GM and MuseScore General (both MIT)
- **VGMIDI** (Ferreira & Whitehead 2019), no licence stated, research use, rendered likewise
- The frozen trunk is **MSD_musicnn** of the PyPI package `musicnn` 0.1.0 (Pons & Serra 2019), ISC licence; its
  taggrams agree with TensorFlow's within 1e-6
- The frozen speech encoder is the first two blocks of **Smart Turn 3.2** of the PyPI package `pipecat-ai` (Daily 2025,
  BSD 2-clause: Copyright (c) 2024-2026, Daily), which is **Whisper tiny** (OpenAI 2022, MIT) tuned to hear the end of a
  turn of speech in 23 languages; its tokens agree with ONNX Runtime's within .001 deviations
"""
LICENCE = """\
**Non-commercial research only.** Most of the voices and the piano clips are CC BY-NC-SA 4.0, so these weights are
shared under CC BY-NC-SA 4.0 too. They are not for commercial use. Only aggregate weights are shipped, no clip.
"""


def _format_comparison(scores: Sequence[Score], baseline: Sequence[Score]) -> str:
    other = {(b.dataset, b.metric): b for b in baseline}
    lines = ["| data | metric | net | 95 % interval | n | linear baseline |", "|---|---|---|---|---|---|"]
    for s in scores:
        b = other.get((s.dataset, s.metric))
        beside = "–" if b is None else f"{b.value:.3f} ({b.low:.3f} – {b.high:.3f})"
        lines.append(f"| {s.dataset} | {s.metric} | {s.value:.3f} | {s.low:.3f} – {s.high:.3f} | {s.n} | {beside} |")
    return "\n".join(lines)


def _format_unseen(scores: Sequence[Score]) -> str:
    if not scores:
        return "Not measured with these settings; `kelly-live lab train emotion --leave-out DATASET` does it."
    return (
        "A net of the same recipe, trained without the data set and without every other in its language, was tested "
        "on\nat most 500 of its clips that are angry, happy, sad or neutral: a choice of these four, and its open "
        "answer\namong the eight. AUROC: the probability that a right answer of the eight has more confidence than a "
        f"wrong one (.5:\nno information).\n\n{format_scores(scores)}"
    )


def format_emotion_card(
    card: dict[str, Any], scores: Sequence[Score], baseline: Sequence[Score], size_bytes: int
) -> str:
    """Format the card of the emotion net."""
    net = {(s.dataset, s.metric): s.value for s in scores}
    losses = [f"{b.dataset} {b.metric} ({b.value:.3f} against {net[b.dataset, b.metric]:.3f})" for b in baseline
            if (b.dataset, b.metric) in net and b.value > net[b.dataset, b.metric]]  # fmt: skip
    run = card["settings"]
    sounds = "\n".join(f"| {name} | {value:.3f} |" for name, value in card["sounds"].items())
    clips = card["clips"]
    unseen = [Score.from_dict(row) for row in card.get("unseen", [])]
    (voice, voice_label), (music, _) = card["temperature"]
    held_out_scores = [Score.from_dict(row) for row in card.get("away", [])]
    held_out = format_scores(held_out_scores) if held_out_scores else "Not measured: trained with --cross 1."
    return f"""# emotion.safetensors: the emotion of a voice or of music

`MultiScaleEmotionNet`, {size_bytes / 1e6:.1f} MB. It hears sound at five resolutions and answers with eight emotions,
valence, arousal, dominance and a calibrated confidence. Statistics of a frozen musicnn trunk and of a frozen speech
encoder over 3 s, fixed statistics of the voice (cepstra, pitch, loudness, pace) over 3 s and of harmony, register and
rhythm over 12 s are judged by {card["members"]} small nets, each with a linear and a deeper path and each seeing other
parts; each counts by its accuracy, separately for voices and for music. One 250 ms hop of the reader:
{card["hop_milliseconds"]:.1f} ms (median, one CPU thread, on a busy shared machine).

## Licence
{LICENCE}
## Learned from
{CREDITS}
{clips["fit"]} clips (at most {card["most"]} a data set; half of them augmented: room, microphone, noise,
gain) and {clips["fold"]} more as they are. Nets that each missed one of {run["cross"]} parts of the speakers and songs
decided when to stop, the weight of each member, and the confidence; the net that ships learned from all.
{clips["val"]} clips (the manifests' `val`: other speakers, songs, series) only to report on. The rules that turn
labels into targets, with their sources and weights, are in `kelly_live/lab/corpora/targets.py`. There are no ratings
of dominance and no label "excited": dominance is Russell & Mehrabian's (1977) value of the category, "excited" a
share of EMOPIA's Q1 and of Emotify's power and joyful activation. No accuracy is claimed for either.

    kelly-live lab train front-end musicnn-0.1.0-py3-none-any.whl pipecat_ai-1.14.0-py3-none-any.whl
    kelly-live lab train emotion --data ../shared/data/emotion --symbolic ../shared/data/symbolic \\
        --front-end front_end.safetensors --most {card["most"]} --epochs {run["epochs"]} --patience {run["patience"]} \\
        --cross {run["cross"]} --seed {run["seed"]}

{card["epochs"]} epochs; mean score of the held-out parts {card["fold_score"]:.4f}. Temperatures, fitted on them:
{voice} for voices' emotions, {music} for music's, {voice_label} for the labels of the actors.

## Measured on `val`
`kelly-live lab evaluate --data ../shared/data/emotion --symbolic ../shared/data/symbolic`. A clip's answer is the mean
over its windows (music: the first 24 s, VGMIDI 60 s), the emotion net alone. Intervals: 1000 bootstrap resamples of the
clips (speakers are few, so the truth may lie further off). "accuracy of N" chooses among the N labels of the actors,
with "calm" and "boredom" as labels of their own; "open 8" is the shipped eight-way answer, where RAVDESS's calm counts
as neutral and EmoDB's boredom is left out. Confidence means P(the strongest emotion is right) for voices and P(the
quadrant is right) for music, both of a clip's answer. The baseline is one logistic or ridge regression a data set on
pooled cepstra, pitch, loudness and pace of the same clips.

{_format_comparison(scores, baseline)}

The baseline is ahead on: {"; ".join(losses) if losses else "nothing"}.

## Measured on the training clips, while they were held out
Every speaker and song once, by the net that did not learn from them; half of the clips augmented. The mix of the
members and the calibration were fitted on these answers: a hint of more speakers than `val` has, not a test.

{held_out}

## A language never trained on
{_format_unseen(unseen)}

## Background sounds without emotion (synthesised, other seeds than in training)
| | |
|---|---|
{sounds}

## What it is not
Acted speech of few speakers, piano from two soundfonts, 313 music excerpts: a room, a real quarrel, an unseen language
or a band will be harder than these numbers. It must not be used to judge people.

Its confidence falls to nothing on noise and silence, but it hardly falls on speech in a language that it never learned
(above: the mean confidence there and on the languages that it knows), where it is right less often. How far the members
disagree, and how far a clip lies from the training clips, were tried as evidence: on Amharic and Polish neither
separated right answers from wrong ones (AUROC .46 - .55). Believe it less there.

## The diversity report of the clips it was fitted to
```
{chr(10).join(card["diversity"])}
```
"""


def format_temporal_card(card: dict[str, Any], scores: Sequence[Score], size_bytes: int) -> str:
    """Format the card of the temporal model."""
    rows = "\n".join(
        f"| {s.metric} | {s.dataset} | {s.value:.3f} | {s.low:.3f} – {s.high:.3f} | {s.n} |" for s in scores
    )
    rest = "\n".join(f"| {name} | {value:.2f} |" for name, value in card["restlessness"].items())
    verdict = []
    for metric in dict.fromkeys(s.metric for s in scores):
        metric_scores = [s for s in scores if s.metric == metric]
        model = next(s.value for s in metric_scores if s.dataset == "temporal model")
        is_best = all(model < s.value for s in metric_scores if s.dataset != "temporal model")
        verdict.append(f"- {metric}: {'better than both' if is_best else '**not** better than both'}")
    stories = card["stories"]
    return f"""# temporal.safetensors: emotion over time

`EmotionTransitionModel`, {size_bytes / 1e6:.2f} MB: a small bidirectional LSTM over the last 8 s, attention over time,
a learned rate matrix. Smaller than the 256 x 3 of the design: there are {stories["fit"]} sequences to learn from.

## Licence
{LICENCE}
## Learned from
The emotion net's answers, hop by hop, over {stories["fit"]} sequences ({stories["stop"]} more to stop by) of speakers
and songs that the net did not learn from: clips of one speaker or of piano in a row, so that each change is known, and
VGMIDI pieces with listeners' valence and arousal for each bar. Credits as in `emotion.md`.

    kelly-live lab train temporal --data ../shared/data/emotion --symbolic ../shared/data/symbolic \\
        --epochs {card["epochs"]} --scenes {card["scenes"]}

## Measured on {stories["val"]} sequences from the `val` parts
Error (lower is better) against what was true at that moment and 1, 4 and 8 s later; the moving average is the best of
0.5, 1, 2 and 4 s, chosen on these very sequences, in its favour. In the spoken scenes the next clip is drawn at random,
so the far future is unknowable: there a good forecast is a careful one. n counts sequences.

| metric | model | error | 95 % interval | n |
|---|---|---|---|---|
{rows}

{chr(10).join(verdict)}

## Stability and speed
| | |
|---|---|
{rest}

"half-way" is the time after a change of clip until the arousal has moved half of the way to where it settles. The net's
own 3 s window is part of it.

## How it was chosen
The weights: by error and delay on scenes of clips that the answering net had not learned. The bounds in
`emotion/nets/temporal.py` (how slowly a moment may fade, how much more it may count, how far the model may correct, how
far it may flatten): by hand, after six designs had been seen on these very `val` sequences, on the demo's recording and
on two dozen `val` clips through the live reader, because one held on to an outburst for five seconds and another hedged
until a short clip's answer was lost. So the table is a little kind to it.
"""
