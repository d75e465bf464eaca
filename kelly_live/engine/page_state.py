"""What browsers get of a session: its state many times a second, and its setup as it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from kelly_live.core.values import EMOTIONS, RHYTHMS, EmotionState, MusicParameters
from kelly_live.cultures.library import list_names
from kelly_live.music.theory import NOTE_NAMES
from kelly_live.sync import TRACKABLE
from kelly_live.ui.page import api

if TYPE_CHECKING:
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.core.sync_state import SyncState
    from kelly_live.core.values import NoteEvent
    from kelly_live.engine.coming_bars import ComingBars
    from kelly_live.engine.follow_switch import FollowSwitch
    from kelly_live.engine.person import Person
    from kelly_live.engine.session import Snapshot
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.profiles.profile import Profile
    from kelly_live.recording.recorder import Recorder

_ROUNDING = 4


def build_state(
    snapshot: Snapshot,
    override: EmotionOverride,
    remarks: str,
    restarts: Mapping[str, int] = MappingProxyType({}),
    standby: str = "",
) -> api.State:
    """Return a snapshot as browsers get it."""
    music, parameters = snapshot.conductor, snapshot.reading.parameters
    scheduler, audio = snapshot.scheduler, snapshot.audio
    problems = (
        audio.problem, snapshot.problem, snapshot.tracker_problem, scheduler.problem, scheduler.error,
        snapshot.coming_problem,
    )  # fmt: skip
    morph = override.morph
    return api.State(
        played=_build_emotion(snapshot.reading.state),
        heard=None if snapshot.read is None else _build_emotion(snapshot.read),
        override=api.Override(
            override.valence,
            override.arousal,
            override.dominance,
            override.emotion,
            override.freeze,
            None if morph is None else morph.target.emotion or "a place",
            [] if morph is None or not morph.via else [*morph.via, _get_place(morph.target)],
        ),
        music=api.Music(
            beat=round(music.beat, _ROUNDING),
            bar=music.bar + 1,
            beats_per_bar=music.beats_per_bar,
            bpm=music.bpm,
            tonic=music.tonic,
            mode=music.mode,
            chord=music.chord,
            plan=list(music.plan),
            role=music.role,
            is_stopped=music.is_stopped,
        ),
        parameters=_build_parameters(parameters),
        health=api.Health(
            level_dbfs=round(audio.level_dbfs, 1),
            late_messages=scheduler.late_messages,
            dropped_notes=scheduler.dropped_notes,
            limited_notes=scheduler.limited_notes,
            dropped_windows=snapshot.dropped_windows,
            overflows=audio.overflows,
            late_ms=round(scheduler.p99_late_seconds * 1e3, 2),
            problems=[problem for problem in problems if problem],
            analysis_ms=round(snapshot.analysis_seconds * 1e3, 1),
            conductor_ms=round(snapshot.conductor_seconds * 1e3, 1),
            restarts=dict(restarts),
        ),
        remarks=remarks,
        muted={player.name: player.describe() for player in music.muted},
        now=None if music.parameters is None else _build_parameters(music.parameters),
        locks=list(music.locks),
        mixer=[api.Strip(s.part, s.is_muted, s.is_soloed, round(s.level, _ROUNDING), s.is_heard) for s in music.strips],
        hearing=_build_hearing(snapshot.sync, music.synchronized),
        standby=standby,
        word=snapshot.word or "",
        gems={} if snapshot.read is None else {name: round(share, _ROUNDING) for name, share in snapshot.read.gems},
    )


def build_notes(notes: Sequence[NoteEvent]) -> list[api.Note]:
    """Return notes as browsers get them."""
    return [
        (round(n.onset_beats, _ROUNDING), round(n.duration_beats, _ROUNDING), n.pitch, n.velocity, n.part)
        for n in notes
    ]


def build_coming(coming: ComingBars | None) -> api.Coming:
    """Return the coming bars as browsers get them; None: there are none."""
    if coming is None:
        return api.Coming(0.0, 0.0, [], [])
    return api.Coming(coming.start_beat, coming.end_beat, build_notes(coming.notes), list(coming.chords))


def _build_emotion(state: EmotionState) -> api.Emotion:
    numbers = [round(number, _ROUNDING) for number in state.probabilities]
    return api.Emotion(
        state.emotion,
        round(state.confidence, _ROUNDING),
        round(state.valence, _ROUNDING),
        round(state.arousal, _ROUNDING),
        round(state.dominance, _ROUNDING),
        dict(zip(EMOTIONS, numbers, strict=True)),
    )


def _get_place(override: EmotionOverride) -> tuple[float, float]:
    return override.valence or 0.0, override.arousal or 0.0


def _build_parameters(parameters: MusicParameters) -> api.Parameters:
    return api.Parameters(
        tempo=parameters.tempo.suggested,
        mode=parameters.mode,
        low=parameters.register.low,
        high=parameters.register.high,
        softest=parameters.dynamics.floor,
        loudest=parameters.dynamics.ceiling,
        density=parameters.density,
        style=parameters.groove,
        rhythm=RHYTHMS[max(range(len(RHYTHMS)), key=parameters.rhythms.__getitem__)],
    )


def _build_hearing(sync: SyncState, followed: Sequence[str]) -> api.Hearing:
    beat, key, chord = sync.beat, sync.key, sync.chord
    return api.Hearing(
        bpm=None if beat is None else round(beat.bpm, 1),
        beat_confidence=None if beat is None else round(beat.confidence, 2),
        key=None if key is None else f"{NOTE_NAMES[key.tonic]} {key.mode}",
        key_confidence=None if key is None else round(key.confidence, 2),
        chord=None if chord is None else f"{NOTE_NAMES[chord.chord.root]} {chord.chord.quality}",
        chord_confidence=None if chord is None else round(chord.confidence, 2),
        plays=None if sync.player is None else sync.player.is_playing,
        follows=list(followed),
    )


class SetupReader:
    """Reads who plays what, and for whom. Thread: one, an observer's; what it reads may be read from any."""

    def __init__(
        self,
        band: PresetBand,
        person: Person,
        recorder: Recorder | None = None,
        follow: FollowSwitch | None = None,
    ) -> None:
        self._band, self._person, self._recorder, self._follow = band, person, recorder, follow
        self._cultures = list_names()
        self._profile: Profile | None = None
        self._learned: list[str] = []

    def read(self) -> api.Setup:
        """Return the setup as it is now."""
        band, person, profile = self._band, self._person, self._person.profile
        if profile is not self._profile:
            self._profile, self._learned = profile, person.describe_profile()
        culture, strength = person.culture
        take = None if self._recorder is None else self._recorder.take
        return api.Setup(
            players=self._list_players(),
            presets=list(band.preset_names),
            preset=band.preset_name,
            culture=culture,
            culture_strength=strength,
            follow=[] if self._follow is None else list(self._follow.names),
            trackable=list(TRACKABLE),
            cultures=self._cultures,
            profile=None if profile is None else profile.name,
            learned=self._learned,
            recording="" if take is None else str(take.paths.midi or take.paths.log),
        )

    def _list_players(self) -> list[api.Player]:
        controls: dict[str, list[api.Control]] = {}
        for one in self._band.parameters:
            known = one.parameter
            control = api.Control(
                one.address, known.kind, one.target, known.help, known.low, known.high, list(known.choices), known.unit
            )
            controls.setdefault(one.player, []).append(control)
        return [
            api.Player(slot.part, slot.generator.descriptor.name, controls.get(slot.part, []))
            for slot in self._band.slots
        ]
