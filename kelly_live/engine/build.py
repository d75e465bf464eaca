"""The composition root: from options to the parts of a session, and the files of an offline run."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.protocols import BeatTracker, EmotionOverride, EmotionReader, NoteSink
from kelly_live.core.resources import OPEN_MODELS, find_resources, name_models
from kelly_live.emotion.registry import DEFAULT_READER
from kelly_live.music.conductor import LIVE_SLICE_BEATS, LOOK_AHEAD_SECONDS, SLICE_BEATS, Conductor

if TYPE_CHECKING:
    from kelly_live.cultures.preset import Known
    from kelly_live.engine.iso_principle import IsoGoal
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.engine.options.host import HostOptions
    from kelly_live.engine.options.piece import PieceOptions
    from kelly_live.engine.options.role import BandRoleOptions
    from kelly_live.engine.options.silence import SilenceOptions
    from kelly_live.engine.override import OverrideStage
    from kelly_live.engine.supervised_tracker import SupervisedTracker
    from kelly_live.generators.host_preset import HostPreset
    from kelly_live.generators.plugin_generator import PluginGenerator
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.generators.reloader import GeneratorReloader
    from kelly_live.mapping.constraints import Constraints
    from kelly_live.mapping.culture import CultureStage
    from kelly_live.mapping.mapper import LearnedMapper
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.music.arc_plan import ArcPlan
    from kelly_live.music.band import MutedPlayer
    from kelly_live.profiles.profile import Profile
    from kelly_live.profiles.store import ProfileStore

_log = logging.getLogger(__name__)
# Takes one line that the user should read; the default puts it in the log.
Notify: TypeAlias = Callable[[str], None]


def log_notice(line: str) -> None:
    """Put a notice in the log; the default of every `notify` argument."""
    _log.warning("%s", line)


def load_profile(name: str | None, notify: Notify = log_notice, *, is_optional: bool = False) -> Profile | None:
    """Load a profile by name; None: the user's default; "none": no profile.

    `is_optional`: a default that cannot be used is said, and nobody is played for. Raises ConfigError.
    """
    from kelly_live.profiles.store import ProfileStore

    store = ProfileStore()
    profile_name = choose_profile(name, store)
    if profile_name is None:
        return None
    try:
        profile = store.load(profile_name)
    except ConfigError as error:
        if name is not None:
            raise
        remedy = "`kelly-live profile use NAME` chooses another, `kelly-live profile use none` chooses none"
        line = f"your default profile cannot be used: {error}; {remedy}"
        if not is_optional:
            raise ConfigError(f"{line}; --profile none goes on without") from error
        notify(f"{line}; playing for no profile")
        return None
    if name is None:
        notify(f"playing for {profile.name}, your default profile (`--profile none` plays for no profile)")
    return profile


def choose_profile(name: str | None, store: ProfileStore) -> str | None:
    """Choose the profile that is played for by what the options say; None: nobody's."""
    from kelly_live.engine.options.commands import NO_PROFILE

    chosen = store.default() if name is None else name
    return None if chosen is None or chosen.strip().casefold() == NO_PROFILE else chosen


def resolve_culture(culture: CultureOptions | None, profile: Profile | None) -> CultureOptions | None:
    """Return the culture that is played: the one that was asked for, else the profile's own."""
    from kelly_live.engine.options.culture import CultureOptions

    if culture is None and profile is not None and profile.culture is not None:
        return CultureOptions(profile.culture, profile.culture_strength)
    return culture


def choose_programs(culture: CultureOptions | None) -> Mapping[str, int]:
    """Return a tradition's General MIDI programs by part; empty where it is hardly followed. Raises ConfigError."""
    if culture is None:
        return {}
    from kelly_live.cultures.library import choose_culture
    from kelly_live.cultures.style import WHOLE

    programs = choose_culture(culture.name).preset.programs
    return {} if programs is None or culture.strength < WHOLE else dict(programs.value)


def build_band(
    options: HostOptions | None = None,
    culture: CultureOptions | None = None,
    profile: Profile | None = None,
    *,
    live: bool = False,
    developed: PluginGenerator | None = None,
    notify: Notify = log_notice,
) -> PresetBand:
    """Load the players of the presets, and a culture's instruments (or the profile's culture's). Raises ConfigError.

    Live, a single preset is followed by all other presets that need no port but the main one, so that the performer
    can move on to them. `developed` is a generator that plays beside them. `notify` is told which cannot be used.
    """
    from kelly_live.engine.options.host import HostOptions
    from kelly_live.generators.host_preset import (
        DEFAULT,
        EffectRequest,
        Setting,
        list_left_out,
        list_presets,
        load_preset,
    )
    from kelly_live.generators.preset_band import PresetBand

    options = options or HostOptions()
    presets = [load_preset(name, notify=notify) for name in (options.presets or (DEFAULT,))]
    if live and len(presets) == 1:
        preset_files = list_presets()
        for problem in (one.problem for one in preset_files if one.problem is not None):
            notify(f"a host preset cannot be used: {problem}")
        for path, reason in list_left_out():
            if path.stem != presets[0].name:  # else it was said when that was loaded
                notify(f"{path} {reason}")
        usable = [one.preset for one in preset_files if one.preset is not None and not one.preset.ports]
        presets += [preset for preset in usable if preset.name != presets[0].name]
    _check_extra(options.extra, presets, notify)
    settings = [Setting.parse(text) for text in options.settings]
    programs = choose_programs(resolve_culture(culture, profile))
    effects = [EffectRequest.parse(text) for text in options.effects]
    extra, prepared = options.extra, {}
    if developed is not None:
        extra, prepared = (*extra, developed.descriptor.name), {developed.descriptor.name: developed}
    return PresetBand(
        presets,
        settings=settings,
        extra=extra,
        effects=effects,
        programs=programs,
        prepared=prepared,
        live=live,
        notify=notify,
    )


def create_reloader(options: HostOptions) -> GeneratorReloader | None:
    """Load the generator that is being written, if there is one. Raises ConfigError."""
    if options.developed is None:
        return None
    from kelly_live.generators.reloader import GeneratorReloader

    return GeneratorReloader(options.developed, options.developed_python)


def _check_extra(extra: Sequence[str], presets: Sequence[HostPreset], notify: Notify) -> None:
    """Refuse generators that are not installed; say which every preset has already. Raises ConfigError."""
    from kelly_live.generators.registry import require_name

    for name in dict.fromkeys(extra):
        require_name(name)
        if all(name in (player.generator for player in preset.players) for preset in presets):
            notify(f"--with {name} adds nothing: the preset has it already")


def build_sink(
    options: HostOptions,
    band: PresetBand,
    midi_out: str | None,
    *,
    send_clock: bool = False,
    latencies: Mapping[str, float] = MappingProxyType({}),
    frame_accurate: bool = False,
) -> RoutedSink:
    """Create a supervised scheduler for each port of the band, none started yet. Raises ConfigError.

    `midi_out` is the main port's output. `latencies`: seconds by port, instead of the preset's; a port that neither
    names takes what was measured for its output. `frame_accurate`: all ports through JACK.
    """
    from kelly_live.core.values import MAIN_PORT
    from kelly_live.midi.ports import VIRTUAL_PORT_NAME
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.midi.supervised_sink import SupervisedSink

    outputs = dict(options.outputs)
    port_names = [port.name for port in band.ports]
    for name in (*outputs, *(name for name in latencies if name != MAIN_PORT)):
        if name not in port_names:
            raise ConfigError(
                f"{' and '.join(options.presets or band.preset_names[:1])} has no port {name[:60]!r} "
                f"(there: {', '.join(port_names) or 'only the main one, --midi-out'}); leave it out"
            )
    main = SupervisedSink(
        midi_out,
        send_clock=send_clock,
        latency_seconds=latencies.get(MAIN_PORT),
        frame_accurate=frame_accurate,
    )
    ports = {MAIN_PORT: main}
    for port in band.ports:
        ports[port.name] = SupervisedSink(
            outputs.get(port.name, port.output),
            send_clock=send_clock and port.clock,
            latency_seconds=latencies.get(port.name, port.latency_seconds),
            virtual_name=f"{VIRTUAL_PORT_NAME} {port.name}",
            frame_accurate=frame_accurate,
        )
    return RoutedSink(ports)


def create_conductor(
    sink: NoteSink,
    *,
    seed: int,
    length_bars: int | None = None,
    piece: PieceOptions | None = None,
    silence: SilenceOptions | None = None,
    role: BandRoleOptions | None = None,
    host: PresetBand | None = None,
    live: bool = False,
    expression: bool = True,
    tempo_rise: float | None = None,
    early_seconds: float = 0.0,
    plan: ArcPlan | None = None,
    notify: Notify = log_notice,
) -> Conductor:
    """Create the conductor of the host's band, the preset `band` by default. Raises ConfigError.

    Players that failed to load are named to `notify` and stay silent. `live` reacts sooner, by finer slices.
    `piece`: what is fixed by hand. `silence`, `role`: what the band does in a player's rest, and beside him.
    `early_seconds`: how long before their time notes are sent; they are made that much earlier. `expression`: held
    notes show what changes. `plan`: how it follows an arc. `tempo_rise`: of the tempo, in BPM a minute, at most.
    """
    from kelly_live.engine.options.piece import PieceOptions

    piece = piece or PieceOptions()
    band = host or build_band()
    report_faults(band, notify)
    look_ahead = LOOK_AHEAD_SECONDS + early_seconds
    return Conductor(
        sink,
        band,
        seed=seed,
        tonic=piece.tonic,
        beats_per_bar=piece.metre,
        form=piece.form,
        sheet=piece.chords,
        rest=None if silence is None else silence.build_rest(),
        expression=expression,
        tempo_rise=tempo_rise,
        role=None if role is None else role.build_role(),
        length_bars=length_bars,
        look_ahead_seconds=look_ahead,
        slice_beats=LIVE_SLICE_BEATS if live else SLICE_BEATS,
        plan=plan,
    )


def report_faults(band: PresetBand, notify: Notify, known_faults: Sequence[MutedPlayer] = ()) -> None:
    """Say what happened to the players, in order, and which are silent now: each once, but for those that are known."""
    remarks = band.remarks
    for line in remarks.values():
        notify(line)
    for player in band.muted:
        was_said = remarks.get(f"the return of {player.name}", "").endswith(player.reason)
        if player not in known_faults and not was_said:
            notify(player.describe())


def create_beat_tracker(
    follow: Sequence[str], conductor: Conductor, *, count_in: bool, before: BeatTracker | None = None
) -> BeatTracker | None:
    """Create the tracker of what `follow` names, and with `count_in` of that; None if neither is asked for.

    A count-in has as many beats as a bar of the conductor. What a tracker `before` this one has counted holds.
    """
    from kelly_live.sync.player_tracker import PlayerTracker

    tracker = PlayerTracker(follow) if follow else None
    if not count_in:
        return tracker
    from kelly_live.sync.count_in import CountInTracker

    count = before.count if isinstance(before, CountInTracker) else None
    return CountInTracker(tracker, lambda: conductor.status().beats_per_bar, count)


def supervise_beat_tracker(
    follow: Sequence[str], conductor: Conductor, *, count_in: bool, before: BeatTracker | None = None
) -> SupervisedTracker | None:
    """Create a tracker for a live session, where one that fails is replaced.

    `before` as in `create_beat_tracker`.
    """
    if not follow and not count_in:
        return None
    from kelly_live.engine.supervised_tracker import SupervisedTracker

    latest = before

    def create() -> BeatTracker:
        nonlocal latest
        latest = create_beat_tracker(follow, conductor, count_in=count_in, before=latest)
        assert latest is not None
        return latest

    return SupervisedTracker(create)


def create_culture_stage(options: CultureOptions | None, notify: Notify = log_notice) -> CultureStage | None:
    """Load a culture as the adapter learned it; a user's own preset by its numbers. Raises ConfigError."""
    if options is None:
        return None
    from kelly_live.core.values import Scale
    from kelly_live.cultures.library import choose_culture, find_culture, user_folder
    from kelly_live.cultures.style import create_style_chooser
    from kelly_live.mapping.culture import CultureStage, load_culture_net

    choice = choose_culture(options.name, notify=notify)
    preset, mode = choice.preset, choice.mode
    if name_models() == OPEN_MODELS and preset.closed_credits:
        notify(
            f"the preset {preset.name} holds figures that were measured in corpora whose terms are not open ("
            + ", ".join(f"{credit.corpus}: {credit.licence[:60]}" for credit in preset.closed_credits)
            + "); read them before you play it for money"
        )
    scale = None
    if mode is not None and mode.scale_cents is not None and options.strength > 0.0:
        scale = Scale(f"{preset.name}:{mode.name}", mode.scale_cents.value)
    choose_style = create_style_chooser(preset, mode, options.strength)
    net = load_culture_net(find_resources("models"))
    is_own_preset = (
        find_culture(preset.name).parent == user_folder()
    )  # a user's preset of a shipped name is not what was learned
    if preset.name in net.cultures and not is_own_preset:
        return CultureStage.from_net(net, preset.name, options.strength, scale=scale, choose_style=choose_style)

    def value(parameter: Known[Any] | None) -> tuple[float, ...] | None:
        return None if parameter is None else parameter.value

    return CultureStage.from_numbers(
        options.strength, scale=scale, choose_style=choose_style, tempo_bpm=value(preset.tempo_bpm),
        modes=value(preset.mode_preferences), dynamics=value(preset.dynamics), rhythms=value(preset.rhythms),
    )  # fmt: skip


def create_mapper(
    culture: CultureOptions | None = None,
    profile: Profile | None = None,
    notify: Notify = log_notice,
    *,
    constraints: Constraints | None = None,
) -> LearnedMapper:
    """Load the mapper for a profile, in this culture, else in the profile's own. Raises KellyError."""
    from kelly_live.mapping.mapper import load_mapper
    from kelly_live.mapping.profile_taste import get_embedding

    stage = create_culture_stage(resolve_culture(culture, profile), notify)
    mapper = load_mapper(find_resources("models"), stage, constraints)
    mapper.play_for(get_embedding(mapper.net, profile))
    return mapper


def create_override_stage(
    override: EmotionOverride,
    culture: CultureOptions | None = None,
    profile: Profile | None = None,
    notify: Notify = log_notice,
    *,
    constraints: Constraints | None = None,
    arousal_rise: float | None = None,
    goal: IsoGoal | None = None,
) -> OverrideStage:
    """Load what maps emotion to music, overridden, or led to a goal; it opens neutral. Raises KellyError."""
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.override import OverrideStage

    offset = (0.0, 0.0, 0.0) if profile is None else profile.offset
    return OverrideStage(
        create_mapper(culture, profile, notify, constraints=constraints),
        replace(create_state(), confidence=0.0),
        override,
        offset,
        arousal_rise,
        goal,
    )


def load_emotion_reader(
    device: str, notify: Notify = log_notice, *, reader_name: str = DEFAULT_READER
) -> EmotionReader:
    """Load an emotion reader into this process; what it has to say goes to `notify`. Raises KellyError."""
    from kelly_live.emotion.registry import PlacedReader, require_reader

    reader = require_reader(reader_name, device=device)
    if isinstance(reader, PlacedReader) and reader.note is not None:
        notify(reader.note)
    return reader


MAX_NAME_BYTES = 255  # of a file, on all common file systems


def check_outputs(paths: Sequence[Path | None], *, source: Path | None = None) -> None:
    """Refuse before the work begins what could not be written after it, or over the `source`. Raises OutputError."""
    output_paths = [path for path in paths if path is not None]
    for path in output_paths:
        if len(os.fsencode(path.name)) > MAX_NAME_BYTES:
            raise OutputError(
                f"cannot write {path.name[:40]!r}…: the name is longer than {MAX_NAME_BYTES} bytes; shorten it"
            )
        folder = path.resolve().parent
        if not folder.is_dir():
            raise OutputError(f"cannot write {str(path)!r}: the folder {str(folder)!r} does not exist; make it first")
        if path.is_dir():
            raise OutputError(f"cannot write {str(path)!r}: that is a folder; add a file name")
        if not os.access(folder, os.W_OK):
            raise OutputError(f"cannot write {str(path)!r}: you may not write to its folder; name another")
        if source is not None and path.exists() and path.samefile(source):
            raise OutputError(f"cannot write {str(path)!r}: it is the file that is read; name another")
    if len({path.resolve() for path in output_paths}) < len(output_paths):
        raise OutputError("two outputs have the same name, the second would replace the first; name them apart")


def check_suffixes(*, midi: Path | None = None, wav: Path | None = None, plot: Path | None = None) -> None:
    """Refuse a file name that promises another kind of file than it gets. Raises OutputError."""
    for path, suffixes, kind in ((midi, (".mid", ".midi"), "MIDI"), (wav, (".wav",), "WAV"), (plot, (".png",), "PNG")):
        if path is not None and path.suffix and path.suffix.lower() not in suffixes:
            raise OutputError(f"cannot write {str(path)!r}: it would hold {kind}; end the name in {suffixes[0]}")
