"""Everything that a live session, a composition and an accompaniment need to know, each as one value."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import format_time, quote_value
from kelly_live.core.pitch_names import format_key_range, parse_key_range
from kelly_live.core.resources import DEFAULT_MODELS
from kelly_live.core.values import MAX_SEED
from kelly_live.emotion.registry import DEFAULT_READER
from kelly_live.engine.options.arc import read_arc
from kelly_live.engine.options.audio import AudioInputOptions, SoundFileOptions
from kelly_live.engine.options.cues import CueOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.external_io import ControllerOptions, ExternalIOOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.options.iso import IsoOptions
from kelly_live.engine.options.limits import LimitsOptions
from kelly_live.engine.options.metadata import check_options, group, option
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.options.page import PageOptions
from kelly_live.engine.options.piece import PieceOptions
from kelly_live.engine.options.recording import RecordingOptions
from kelly_live.engine.options.role import BandRoleOptions
from kelly_live.engine.options.silence import SilenceOptions
from kelly_live.engine.options.tuning import TuningOptions
from kelly_live.music.arc import Arc
from kelly_live.music.arc_file import check_length, read_length
from kelly_live.music.form_plan import check_form

DEVICES = ("auto", "cpu", "cuda", "mps")
NO_PROFILE = "none"  # the profile's name that means no profile
DEFAULT_BARS = 16
MAX_BARS = 1000
MAX_TRANSPOSE = 48  # semitones
DEVICE_HELP = "Where the nets run; auto takes a GPU if there is one."
READER_HELP = "The emotion reader: the shipped one, or that of an installed package."
SEED_HELP = "Same seed, same music."
WORDS_HELP = "Also name the feeling by the nearest emotion word of a language, such as en; research has ca and es."
MODELS_HELP = "The set of models: open (any use), research (not commercial), or a folder of your own."


def parse_follow(text: str) -> tuple[str, ...]:
    """Read `all`, or names of TRACKABLE with commas between; chords bring their key. Raises ConfigError."""
    from kelly_live.sync import TRACKABLE

    names = {name.strip().lower() for name in text.split(",")}
    if names == {"all"}:
        return TRACKABLE
    if names - set(TRACKABLE):
        raise ConfigError(
            f"{text[:60]!r} cannot be followed: give {', '.join(TRACKABLE)}, several with commas between, or all"
        )
    if "chords" in names:
        names.add("key")  # a chord is heard, spelled and answered in a key
    return tuple(name for name in TRACKABLE if name in names)


def _device_option() -> str:
    device: str = option("--device", choices=DEVICES, default="auto", default_note=None, help=DEVICE_HELP)
    return device


def _reader_option() -> str:
    reader: str = option("--reader", metavar="NAME", default=DEFAULT_READER, default_note=None, help=READER_HELP)
    return reader


def _models_option() -> str | None:
    models: str | None = option("--models", metavar="open|research|PATH", default_note=DEFAULT_MODELS, help=MODELS_HELP)
    return models


def _seed_option() -> int:
    seed: int = option("--seed", kind=int, default=1, minimum=0, maximum=MAX_SEED, default_note=None, help=SEED_HELP)
    return seed


def _expression_option() -> bool:
    expression: bool = option(
        "--expression/--no-expression",
        kind=bool,
        default=True,
        default_note=None,
        help="Let held notes swell and brighten with the feeling: controllers 11 and 74, and pressure.",
    )
    return expression


def _follow_option() -> tuple[str, ...]:
    follow: tuple[str, ...] = option(
        "--follow",
        default=(),
        metavar="tempo,key,chords,dynamics",
        parse=parse_follow,
        format=",".join,
        help="Join the player: follow the tempo and beat, the key, the chords (with their key), the dynamics, or all.",
    )
    return follow


def _words_option() -> str | None:
    words: str | None = option("--words", metavar="LANGUAGE", help=WORDS_HELP)
    return words


def _count_in_option() -> bool:
    count_in: bool = option(
        "--count-in/--no-count-in",
        kind=bool,
        default=False,
        default_note=None,
        help="Wait for your count-in: a bar of even clicks, spoken numbers, pads or notes gives tempo and downbeat.",
    )
    return count_in


def _profile_option() -> str | None:
    profile: str | None = option(
        "--profile",
        metavar="NAME",
        default_note="what `profile use` set",
        help="Play for a profile (`kelly-live profile`); `none` for no profile.",
    )
    return profile


def _file_limits_group() -> LimitsOptions:
    """Make the limits of music that is written to a file, which has no hour of the day."""
    limits: LimitsOptions = group(LimitsOptions, without=("quiet_hours", "quiet_velocity"))
    return limits


def check_followed(piece: PieceOptions, follow: tuple[str, ...], *, count_in: bool) -> None:
    """Refuse a tempo, key or chords that are both fixed and followed, or counted in. Raises ConfigError."""
    fixed = (("tempo", "tempo", piece.tempo), ("key", "key", piece.key))
    for option_name, name, value in (*fixed, ("chords", "chords", piece.chords), ("chords", "key", piece.chords)):
        if name in follow and value is not None:
            raise ConfigError(f"--{option_name} fixes what --follow {name} would follow; give one of them")
    if count_in and piece.tempo is not None:
        raise ConfigError("--tempo fixes what --count-in counts; give one of them")


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """The settings of a live session. Raises ConfigError.

    `midi_out` and `audio_in`: any part of a port's or an input's name; None is a virtual port, and the system's input.
    `sound`: the built-in synthesiser instead of `midi_out`.
    `follow`: what the band follows of the player ("tempo", "key"). `count_in`: the band waits until it is counted in.
    `seed` None: a new one each time.
    `profile` None: the default that `kelly-live profile use` set; "none": no profile.
    `words`: the language in which the feeling is also named.
    `device`: where the nets run. `reader`: the name of an emotion reader. `models`: the set of models, for the whole
    process; None: those in use.
    """

    midi_out: str | None = option(
        "--midi-out", metavar="NAME", default_note="a virtual port", help="The MIDI output, by any part of its name."
    )
    sound: bool = option(
        "--sound", kind=bool, default=False, help="Be heard without a synth or a DAW: through the built-in synthesiser."
    )
    audio_in: str | None = option(
        "--audio-in", metavar="NAME", default_note="the system's", help="The audio input, by any part of its name."
    )
    audio: AudioInputOptions = group(AudioInputOptions)
    play_in: str | None = option(
        "--play-in",
        metavar="NAME",
        help="A MIDI keyboard, pads or track that is heard as your playing, instead of audio (or beside --audio-in).",
    )
    play_in_range: tuple[int, int] | None = option(
        "--play-in-range",
        metavar="LOW-HIGH",
        parse=parse_key_range,
        format=format_key_range,
        default_note="all keys",
        help="The keys of --play-in that are heard, as in C2-B3: the rest of the keyboard is yours alone.",
    )
    play_in_transpose: int = option(
        "--play-in-transpose",
        kind=int,
        default=0,
        minimum=-MAX_TRANSPOSE,
        maximum=MAX_TRANSPOSE,
        default_note=None,
        help="Hear the keys of --play-in so many semitones higher (negative: lower).",
    )
    external_io: ExternalIOOptions = group(ExternalIOOptions)
    page: PageOptions = group(PageOptions)
    override: OverrideOptions = group(OverrideOptions)
    iso: IsoOptions = group(IsoOptions)
    words: str | None = _words_option()
    culture: CultureOptions | None = group(CultureOptions, present_with="name")
    piece: PieceOptions = group(PieceOptions)
    host: HostOptions = group(HostOptions)
    tuning: TuningOptions = group(TuningOptions)
    expression: bool = _expression_option()
    follow: tuple[str, ...] = _follow_option()
    count_in: bool = _count_in_option()
    silence: SilenceOptions = group(SilenceOptions)
    band_role: BandRoleOptions = group(BandRoleOptions)
    limits: LimitsOptions = group(LimitsOptions)
    cues: CueOptions = group(CueOptions)
    recording: RecordingOptions = group(RecordingOptions)
    seed: int | None = option(
        "--seed",
        kind=int,
        minimum=0,
        maximum=MAX_SEED,
        default_note="a new one each time",
        help="Same seed, same choices.",
    )
    profile: str | None = _profile_option()
    models: str | None = _models_option()
    device: str = _device_option()
    reader: str = _reader_option()

    def __post_init__(self) -> None:
        check_options(self)
        check_followed(self.piece, self.follow, count_in=self.count_in)
        if self.play_in is not None and self.audio_in is None and self.audio != AudioInputOptions():
            raise ConfigError(
                "--play-in is heard instead of audio; name --audio-in too, or leave the audio's settings out"
            )
        if self.play_in is None and (self.play_in_range is not None or self.play_in_transpose != 0):
            raise ConfigError("--play-in-range and --play-in-transpose are for the keys of --play-in; name it too")
        if self.piece.tempo is not None and self.external_io.clock in ("follow", "link"):
            raise ConfigError(f"--tempo fixes what --clock {self.external_io.clock} would follow; give one of them")
        if self.count_in and self.external_io.clock in ("follow", "link"):
            raise ConfigError(f"--count-in and --clock {self.external_io.clock} both start the band; give one of them")


@dataclass(frozen=True, slots=True)
class ComposeOptions:
    """The settings of a composition: music for an emotion that is named, or for an arc of them, without audio.

    Raises ConfigError. `bars`: its length; `length`: the same in seconds, instead of an arc's own. `profile` and
    `models` as in LiveOptions.
    """

    override: OverrideOptions = group(OverrideOptions, without=("freeze",))
    culture: CultureOptions | None = group(CultureOptions, present_with="name")
    piece: PieceOptions = group(PieceOptions)
    host: HostOptions = group(HostOptions, without=("outputs", "developed", "developed_python"), single=("presets",))
    tuning: TuningOptions = group(TuningOptions)
    expression: bool = _expression_option()
    controllers: ControllerOptions = group(ControllerOptions)
    bars: int = option(
        "--bars",
        kind=int,
        default=DEFAULT_BARS,
        minimum=1,
        maximum=MAX_BARS,
        default_note=None,
        help="The length in bars.",
    )
    length: float | None = option(
        "--length",
        metavar="TIME",
        parse=read_length,
        format=format_time,
        default_note="--bars, or the arc's",
        help="The length in time: the last chord is let go there (1:23.5, or seconds).",
    )
    arc: Arc | None = option(
        "--arc",
        metavar="FILE",
        parse=read_arc,
        format=lambda arc: f"{len(arc.points)} points",
        help="Follow the course of feeling and the hit points in a CSV or YAML file (docs/arcs.md).",
    )
    limits: LimitsOptions = _file_limits_group()
    seed: int = _seed_option()
    profile: str | None = _profile_option()
    models: str | None = _models_option()

    def __post_init__(self) -> None:
        check_options(self)
        check_length(self.length)
        if self.piece.form is not None:
            check_form(self.piece.form, length_bars=self.bars if self.length is None else None)
        override = self.override
        if self.length is not None and override.morph_to is not None:
            raise ConfigError("--length and --morph-to do not go together; write an --arc instead")
        if self.arc is not None:
            if not isinstance(self.arc, Arc):
                raise ConfigError(f"--arc is {quote_value(self.arc)}; it must be an Arc, or name a file of one")
            if override != OverrideOptions():
                raise ConfigError("--arc says which feeling when; leave --emotion, --valence and the like out")
            return
        if override.emotion is None and (override.valence is None or override.arousal is None):
            if override.valence is None and override.arousal is None and override.dominance is None:
                raise ConfigError("say which emotion: --emotion NAME, or --valence V --arousal A, or --arc FILE")
            raise ConfigError("--valence and --arousal go together (or give --emotion NAME)")


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """The settings of an accompaniment to a recording. Raises ConfigError. Fields as in LiveOptions."""

    sound: SoundFileOptions = group(SoundFileOptions)
    override: OverrideOptions = group(OverrideOptions)
    iso: IsoOptions = group(IsoOptions)
    culture: CultureOptions | None = group(CultureOptions, present_with="name")
    piece: PieceOptions = group(PieceOptions)
    host: HostOptions = group(HostOptions, without=("outputs", "developed", "developed_python"), single=("presets",))
    tuning: TuningOptions = group(TuningOptions)
    expression: bool = _expression_option()
    follow: tuple[str, ...] = _follow_option()
    count_in: bool = _count_in_option()
    silence: SilenceOptions = group(SilenceOptions)
    band_role: BandRoleOptions = group(BandRoleOptions)
    controllers: ControllerOptions = group(ControllerOptions)
    limits: LimitsOptions = _file_limits_group()
    recording: RecordingOptions = group(RecordingOptions, without=("midi", "report", "folder"))
    seed: int = _seed_option()
    profile: str | None = _profile_option()
    models: str | None = _models_option()
    device: str = _device_option()
    reader: str = _reader_option()

    def __post_init__(self) -> None:
        check_options(self)
        check_followed(self.piece, self.follow, count_in=self.count_in)
