"""What a measurement of the latency needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.pitch_names import parse_pitch
from kelly_live.core.values import DRUM_CHANNEL
from kelly_live.engine.options.audio import AudioInputOptions
from kelly_live.engine.options.metadata import check_options, group, option

SIDE_STICK = 37  # the shortest sound of a General MIDI drum kit


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """The settings of a measurement. Raises ConfigError.

    `midi_out` and `audio_in` as in LiveOptions. `note` (0-127) on `channel` (1-16) is the click.
    """

    midi_out: str | None = option(
        "--midi-out", metavar="NAME", default_note="a virtual port", help="The MIDI output, by any part of its name."
    )
    audio_in: str | None = option(
        "--audio-in",
        metavar="NAME",
        default_note="the system's",
        help="The audio input that hears the synth, by any part of its name.",
    )
    audio: AudioInputOptions = group(AudioInputOptions)
    note: int = option(
        "--note",
        metavar="NOTE",
        parse=parse_pitch,
        default=SIDE_STICK,
        default_note="37, side stick",
        help="The note that is the click: short, with a hard beginning, as C4 or a number.",
    )
    channel: int = option(
        "--channel",
        kind=int,
        default=DRUM_CHANNEL,
        minimum=1,
        maximum=16,
        default_note=None,
        help="The MIDI channel of the click.",
    )
    clicks: int = option(
        "--clicks", kind=int, default=8, minimum=3, maximum=64, default_note=None, help="How many clicks are played."
    )
    frame_accurate: bool = option(
        "--frame-accurate/--no-frame-accurate",
        kind=bool,
        default=False,
        default_note=None,
        help="Through JACK: send each click at its sample, as you will play.",
    )

    def __post_init__(self) -> None:
        check_options(self)
