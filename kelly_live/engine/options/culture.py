"""Which musical tradition is played, and how closely it is followed."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.engine.options.metadata import check_options, option, required_option


@dataclass(frozen=True, slots=True)
class CultureOptions:
    """A culture, NAME or NAME:MODE, and how closely it is followed (0 to 1). Raises ConfigError."""

    name: str = required_option(
        "--culture", metavar="NAME[:MODE]", help="Play as in a tradition; `kelly-live cultures` lists them."
    )
    strength: float = option(
        "--culture-strength",
        kind=float,
        default=1.0,
        minimum=0.0,
        maximum=1.0,
        default_note=None,
        help="0 is off. At 1 the music starts half-way to the tradition's, and emotions move it by the full amount. "
        "In between, that share of the phrases is in its scale, and tuning, steps, ornaments, swing, pace and register "
        "move by that share; its metre and its texture are there from 0.5 on.",
    )

    def __post_init__(self) -> None:
        check_options(self)
