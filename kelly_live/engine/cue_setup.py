"""From the options of a cue sheet to the parts that play it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.engine.cue_player import CuePlayer, CueTargets, PositionReader
from kelly_live.engine.cue_sheet import CueSheet, load_cue_sheet
from kelly_live.engine.cue_source import CueSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from kelly_live.engine.build import Notify
    from kelly_live.engine.external_io import ExternalIO
    from kelly_live.engine.iso_principle import IsoGoal
    from kelly_live.engine.options.cues import CueOptions
    from kelly_live.engine.session import LiveSession
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.mapping.culture import CultureStage


def load_cues(options: CueOptions) -> CueSheet | None:
    """Read the cue sheet, and find where a rehearsal begins; None: there is none. Raises ConfigError."""
    if options.sheet is None:
        return None
    sheet = load_cue_sheet(options.sheet)
    if options.first is not None:
        sheet.find(options.first)
    return sheet


def create_cue_player(
    sheet: CueSheet,
    source: CueSource,
    session: LiveSession,
    band: PresetBand,
    external_io: ExternalIO,
    set_culture: Callable[[CultureStage | None], None],
    set_goal: Callable[[IsoGoal | None], None],
    notify: Notify,
    *,
    first: str | None = None,
) -> CuePlayer:
    """Create what plays a sheet in a session; its cultures are loaded here. Raises ConfigError."""
    from kelly_live.engine.build import create_culture_stage
    from kelly_live.engine.options.culture import CultureOptions

    cultures: dict[str, CultureStage] = {}
    for cue in sheet.cues:
        if cue.culture is not None and cue.culture not in cultures:
            try:
                stage = create_culture_stage(CultureOptions(cue.culture), notify)
            except ConfigError as error:
                raise ConfigError(f"{cue.where}: culture: {error}") from error
            assert stage is not None
            cultures[cue.culture] = stage
    if external_io.sync_sources:
        with_metre = next((cue for cue in sheet.cues if cue.metre is not None), None)
        if with_metre is not None:
            raise ConfigError(
                f"{with_metre.where}: no cue changes the metre while a clock leads; leave out its metre, or --clock"
            )
    targets = CueTargets(
        session.set_override,
        band.preset_names,
        lambda: band.preset_name,
        band.request_named_preset,
        session.change_role,
        set_culture,
        set_goal,
    )
    leader = _create_leader(sheet, external_io, notify)
    return CuePlayer(sheet, source, targets, cultures=cultures, leader=leader, first=first)


def _create_leader(sheet: CueSheet, external_io: ExternalIO, notify: Notify) -> PositionReader | None:
    """Create what leads through the cues that have an `at`; None: they have none, or nothing comes in."""
    if all(cue.at is None for cue in sheet.cues):
        return None
    if external_io.input is None:
        what = "MIDI clock" if sheet.counts_bars else "timecode"
        notify(f"the cue sheet has cues with `at`, but no {what} comes in; name its MIDI input with --midi-in")
        return None
    from kelly_live.sync.song_position import SongPositionReader
    from kelly_live.sync.timecode import TimecodeReader

    return (SongPositionReader if sheet.counts_bars else TimecodeReader)(external_io.input.branch())
