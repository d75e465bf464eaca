"""The mapper's model card: its data, scores, priors and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kelly_live.lab.corpora.film_cues import SOURCE, CueCorrelations, select_evidence
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
from kelly_live.lab.training.mapper_card_texts import TEXTS
from kelly_live.lab.training.mapper_data import Examples, RatingScale
from kelly_live.lab.training.mapper_scores import Evaluation
from kelly_live.lab.training.priors import CHECKED, PRIORS, convert_evidence
from kelly_live.mapping.net import SCALARS, WEIGHTS


def build_card(
    net: DynamicEmotionToMusicMapper,
    *,
    recipe: Mapping[str, Any],
    scale: RatingScale | None,
    parts: tuple[Examples, Examples],
    evaluation: Evaluation,
    without_priors: Evaluation | None,
    skilled: Mapping[str, bool],
    cues: CueCorrelations | None,
    home: str,
    limits: Mapping[str, float],
    command: str,
) -> dict[str, Any]:
    """Build the card as JSON."""
    train, held_out = parts
    texts = TEXTS[train.corpora]

    def count(data: Examples) -> dict[str, int]:
        return {
            name: int((data.corpus == index).sum())
            for index, name in enumerate(data.corpora)
            if (data.corpus == index).any()
        }

    return {
        "command": command,
        "recipe": dict(recipe),
        "sources": dict(texts.sources) | ({SOURCE: "MIT; ratings and features, aggregates only"} if cues else {}),
        "rows": {"train": count(train), "held out (manifest val)": count(held_out)},
        "rating_scale": None if scale is None else asdict(scale),
        "parameters": sum(weight.numel() for weight in net.parameters()),
        "priors": {"lines": len(PRIORS), "pieces": sum(prior.pieces for prior in PRIORS)},
        "film_music": [asdict(line) for line in select_evidence(cues)] if cues else [],
        "home": home,
        "limits_of_commitment": dict(limits),
        "gain": {
            **dict(zip(SCALARS, (round(float(g), 3) for g in net.scalar_gain), strict=True)),
            **dict(zip(WEIGHTS, (round(float(g), 3) for g in net.weight_gain), strict=True)),
        },
        "user_ways": int((net.basis.norm(dim=0) > 1e-6).sum()),
        "skilled": dict(skilled),
        "scores_nats": {row.parameter: asdict(row) for row in evaluation.scores},
        "directions": [asdict(direction) | {"holds": direction.holds} for direction in evaluation.directions],
        "without_priors": _summarise_without_priors(without_priors) if without_priors else {},
        "limits": list(texts.limits),
        "corpora": list(train.corpora),
    }


def _summarise_without_priors(evaluation: Evaluation) -> dict[str, Any]:
    """Summarise a run without priors: gains over the corpus, and the directions that then fail."""
    return {
        "gain_nats": {row.parameter: row.corpus - row.mapper for row in evaluation.scores},
        "held": evaluation.held_count,
        "fail": {line.claim: line.mapper_slope for line in evaluation.directions if not line.holds},
    }


def format_card(card: Mapping[str, Any], evaluation: Evaluation, cues: CueCorrelations | None = None) -> str:
    """Format the model card that lies beside the checkpoint."""
    sources = "\n".join(f"- {name}: {terms}" for name, terms in card["sources"].items())
    rows = "; ".join(
        f"{part}: " + ", ".join(f"{n} {corpus}" for corpus, n in counts.items())
        for part, counts in card["rows"].items()
    )
    gains = ", ".join(f"{name} {gain:g}" for name, gain in card["gain"].items())
    film = [prior for _, prior in convert_evidence(select_evidence(cues))] if cues else []
    priors = "\n".join(
        f"| {p.emotion} | {p.parameter} | {p.effect:+.3g} | {p.pieces:.3g} | {p.source} |" for p in (*PRIORS, *film)
    )
    film_text = (
        f"{cues.excerpts} film excerpts, {cues.soundtracks} soundtracks; r [95 % interval, drawn over soundtracks]. "
        "Level and centroid are measured;\nthe rest is read from the audio by a regression on 100 other, rated "
        "excerpts, whose correlation on unseen ones stands\nbeside the cue. A badly read cue correlates too weakly. "
        f"The rated brightness goes with mode, not with timbre.\n\n{cues.format_table()}"
        if cues
        else "Not used in this run (`--cues`)."
    )
    most = card["limits_of_commitment"]
    alone = card["without_priors"]
    ablation = (
        f"Trained without these lines, the same recipe holds {alone['held']} of {len(card['directions'])} directions "
        f"(not: {'; '.join(f'{claim}, {slope:+.3f}' for claim, slope in alone['fail'].items()) or 'none'}).\n"
        "Its gains over corpus-wide on the held-out part, in nats: "
        + ", ".join(f"{name} {gain:+.3f}" for name, gain in alone["gain_nats"].items())
        + "."
        if alone
        else "Not used in this run."
    )
    edge = 100 * most["played_share"]
    texts = TEXTS[tuple(card["corpora"])]
    data = texts.data.format(**(card["rating_scale"] or {}))
    limits = "\n".join(f"- {line}" for line in card["limits"])
    return f"""# mapper.safetensors: from emotion to musical parameters

`DynamicEmotionToMusicMapper`, {card["parameters"]} parameters: 8 probabilities and valence, arousal, dominance in;
tempo, mode, register, dynamics, timing, density and rhythm out, as distributions learned from music that people
labelled.

Made by: `{card["command"]}`

## Data
{sources}

Rows: {rows}. {data}

## Held-out scores
Negative log-likelihood in nats a row (lower is better), of standardised values for scalars and as cross-entropy for
weights (modes, timing, rhythms). Corpus-wide: one distribution a corpus, fitted on train. Rule table: tempo = 60 +
120·arousal' and the like (`rule_locations`, `rule_weights`), offset and noise fitted on train. SE over songs, scores.

{evaluation.format_table()}

Slopes are of what the net plays, per unit of valence or arousal; r is within the corpora, training part.

## Listeners' ratings of film music
{film_text}

## Commitment
Medians of a learned distribution lie close to the mean. The played values are stretched from the centre by a gain that
gives medians the spread of single pieces (at most {most["gain"]:g}; weights: the entropy of single pieces, at most
{most["weight_gain"]:g}), and only where the state helped by over two standard errors on songs held back by
cross-validation{texts.sure} (else 1): {gains}.
{texts.middle} Medians near but never leave its {edge:.0f}-{100 - edge:.0f} % range.

Beside the net, `mapping/mapper.py` follows valence more strongly, as listeners do, where the labels are blurred. Each
unit of valence adds 4 to the log-odds of a major third against a minor one (mode is the first cue of valence: Eerola,
Friberg & Bresin 2013; but a mode finder hears only .53 of EMOPIA's quiet sad train clips as minor, and what is played
like that is judged as calm). And the accompaniment is more restless at low valence and lighter at high valence when
arousal is high, by as much as in human pieces: attacks a second under the melody in Q1 and Q2 are 3.8 and 4.7 in
EMOPIA, were 4.5 and 4.2 in ours. (Gabrielsson & Lindström 2010, from memory: rough, complex rhythm for unease and
anger, flowing for joy.) Where it is calm, a unit of valence raises the register by 8 semitones, by half of them at an
arousal of 0: sad is low, tender and happy are not (Juslin & Laukka 2003; Eerola, Friberg & Bresin 2013), while EMOPIA's
calm clips lie below its sad ones. What the net raises it by itself counts among them. At an arousal of -.6 there is
.7 of the density that there is at .6 (of what is rated in film excerpts density goes with energy the most), and above 0
a unit of arousal raises the level by .16 of the loudest velocity; neither in a tradition. None of these acts where a
culture has its own style. Scores and slopes here are the net's own. What the judges say of it, and what each part
gives: [docs/likeness.md](../../docs/likeness.md).

## Users
A user's embedding moves the raw outputs along the ways in which songs differ that the state does not explain: the
principal directions of the covariance between one half of a song's clips and the other (chance is not shared),
{card["user_ways"]} of them above 0, the first seven of them everywhere and, twice as strongly, in each emotion alone.
Learned from preferences as a maximum a posteriori (`mapping/taste.py`); zero until then.

## Priors
Pseudo-observations, each worth so many labelled pieces; effects in corpus standard deviations (weights: along a stated
direction). {texts.weight}Directions as published; sizes ours: ±1 for what is clear or was ranked among the first
three cues, ±.5 for what is hedged or only near what was varied. {ablation}

{CHECKED}

| at | parameter | effect | pieces | source |
|---|---|---|---|---|
{priors}

## Limits
{limits}
"""
