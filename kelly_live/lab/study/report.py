"""The registration of a study, filled in before it begins, and the report of its result, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from kelly_live.core.wording import join_words, plural
from kelly_live.lab.intervals import Estimate
from kelly_live.lab.study.analysis import MOST_FAILED_CHECKS, ConditionResult, StudyResult
from kelly_live.lab.study.design import CLIPS, OURS, TEMPO_ONLY, StudyDesign, digest_file
from kelly_live.lab.study.headphones import MOST_WRONG, TRIALS

REGISTRATION, REPORT = "preregistration.md", "results.md"
_MEANINGS = {
    OURS: "music composed by kelly-live for the emotion",
    TEMPO_ONLY: "neutral music by kelly-live in the tempo of the emotion: what tempo alone tells",
    CLIPS: "clips of other music, supplied with the emotion that each expresses",
}


def write_registration(folder: Path, design: StudyDesign) -> str:
    """Write the text to register before the first listener, for AsPredicted or the OSF."""
    chance = 1.0 / len(design.emotions)
    first, *others = design.conditions
    digest = digest_file(folder / "study.json")
    conditions = "\n".join(f"- *{name}*: {_MEANINGS[name]}." for name in design.conditions)
    contrasts = "".join(_state_contrast(first, other) for other in others)
    return f"""# Preregistration: {design.title}

Made by `kelly-live study new` of kelly-live {design.version}, seed {design.seed}. SHA-256 of `study.json`, which holds
the digest of every sound: `{digest}`.

1. **Data.** No data have been collected for this study yet.
2. **Question.** Do people hear in the music the emotion that it is meant to express?
3. **Sounds.** {plural(len(design.stimuli), "sound")}: {join_words(design.emotions, "and")}, in
   {plural(len(design.conditions), "condition")}. All have one length and one loudness.

{conditions}

4. **Listeners.** {design.listeners} are planned. Collection stops there; nobody looks at the result before.
5. **Procedure.** Consent, a headphone check (Woods et al. 2017: {TRIALS} trials), one trial for practice, then every
   sound once. The order is another one for each listener: over {2 * len(design.stimuli)} listeners each sound stands in
   each place twice, and every second listener hears them backwards. Nothing tells what a sound is meant to express. To
   each, a listener places a point on a plane of valence and arousal and chooses one of {len(design.emotions)} words.
   {plural(len(design.checks), "trial")} without music say what to answer.
6. **Exclusion.** Listeners who do not finish, who have more than {MOST_WRONG} of {TRIALS} headphone trials wrong, or
   who fail more than {MOST_FAILED_CHECKS} of the checks of attention.

## Hypotheses
1. The hit rate of *{first}* is above chance ({chance:.3f}): the lower end of its interval is higher.
2. The slope of judged on intended valence in *{first}* is above 0.
3. The slope of judged on intended arousal in *{first}* is above 0.{contrasts}

## Analysis
`kelly-live study analyse {folder.name}`. Hit rate, slopes and quadrants are computed for each listener and averaged;
intervals are 95 % percentile intervals of the bootstrap over listeners (1000 draws). Also reported: the confusion
matrix, unbiased hit rates (Wagner 1993), and how each listener's judgements correlate with the mean of the others.
Nothing else is confirmatory.
"""


def _state_contrast(first: str, other: str) -> str:
    rule = "the interval of the difference within listeners excludes 0"
    return f"\n4. The hit rate of *{first}* differs from that of *{other}*: {rule}."


def write_report(design: StudyDesign, result: StudyResult) -> str:
    """Write what was heard. Without listeners it says so."""
    lines = [f"# {design.title}", ""]
    counts = sorted(Counter(result.excluded.values()).items())
    left_out = "; ".join(f"{plural(count, 'listener')} {reason}" for reason, count in counts) or "none"
    lines += [f"{plural(result.listeners, 'listener')} of {design.listeners} planned. Left out: {left_out}.", ""]
    if not result.listeners:
        return "\n".join([*lines, "Nobody's answers count yet, so there is no result.", ""])
    lines += [
        f"Means over listeners with 95 % intervals (bootstrap over listeners); guessing hits {result.chance:.3f}.", "",
        "| condition | answers | hit rate | valence slope | arousal slope | quadrants |", "|---|---|---|---|---|---|",
        *map(_describe_condition, result.conditions), "",
    ]  # fmt: skip
    for contrast in result.contrasts:
        first, other = contrast.conditions
        lines.append(f"- {contrast.measure}, *{first}* less *{other}*: {format_estimate(contrast.difference)}")
    for axis, estimate in result.agreement.items():
        lines.append(f"- a listener's {axis} with the mean of the others', r: {format_estimate(estimate)}")
    for condition in result.conditions:
        lines += ["", f"## {condition.condition}: chosen for what was meant", "", *_tabulate(condition)]
    return "\n".join([*lines, ""])


def format_estimate(estimate: Estimate) -> str:
    """Format an estimate with its interval."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _describe_condition(one: ConditionResult) -> str:
    estimates = " | ".join(map(format_estimate, (one.hit_rate, one.valence, one.arousal, one.quadrants)))
    return f"| {one.condition} | {one.trials} | {estimates} |"


def _tabulate(condition: ConditionResult) -> list[str]:
    emotions = list(condition.confusion)
    rows: list[str] = [f"| meant | {' | '.join(emotions)} | unbiased |", "|---" * (len(emotions) + 2) + "|"]
    for emotion, counts in condition.confusion.items():
        rows.append(f"| {emotion} | {_list_shares(counts)} | {condition.unbiased[emotion]:.2f} |")
    return rows


def _list_shares(counts: Mapping[str, int]) -> str:
    total = max(1, sum(counts.values()))
    return " | ".join(f"{count / total:.2f}" for count in counts.values())
