"""A show as a score: which cue begins when, from GO, from a rehearsal, and from a timecode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kelly_live.core.actions import Action
from kelly_live.core.commands import Notes, SinkCommand, Start
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import CLOCK, CONTINUE, START, STOP, song_position
from kelly_live.core.protocols import AudioHealth, EmotionOverride, SchedulerHealth
from kelly_live.core.safe_yaml import parse_nodes
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import DRUM_CHANNEL, NoteEvent
from kelly_live.engine.cue_player import CuePlayer, CueTargets
from kelly_live.engine.cue_sheet import Fade, load_cue_sheet, read_cue_sheet
from kelly_live.engine.cue_source import CueSource
from kelly_live.engine.input_trackers import merge_sync_states
from kelly_live.engine.iso_principle import IsoGoal
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.session import Snapshot
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.sync.midi_clock import MidiClockSource
from kelly_live.sync.song_position import SongPositionReader
from kelly_live.sync.timecode import TimecodeReader
from tests.engine.test_override import CountingMapper
from tests.fakes import state
from tests.music.band import band
from tests.timecode import TimecodeSender

SHOW = """\
format: 1
cues:
  - {name: overture, place: sad, key: D dorian, role: lead}
  - {name: storm, place: angry, cut: yes, preset: film, at: 1:00}
  - {name: dusk, place: "0.5,-0.5", fade: 2 bars, at: 1:30}
  - {name: journey, path: [{place: fearful}, {place: happy, fade: 1 bar}, {place: "0,0", fade: 2 bars}], at: 2:00}
  - {name: free, follow: yes}
"""
STEP = 0.005


class Sink(NoteList):
    """Keeps all commands, too."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[SinkCommand] = []

    def send(self, command: SinkCommand) -> None:
        super().send(command)
        self.commands.append(command)

    def first_note_after_the_last_start(self) -> float:
        """In seconds."""
        start, notes = self._list_from_the_last_start()
        return start.origin_seconds + min(note.onset_beats for note in notes) * 60.0 / start.bpm

    def list_kicks_after_the_last_start(self) -> list[float]:
        """The beats of the bass drum."""
        notes = self._list_from_the_last_start()[1]
        return [note.onset_beats for note in notes if (note.channel, note.pitch) == (DRUM_CHANNEL, 36)]

    def _list_from_the_last_start(self) -> tuple[Start, list[NoteEvent]]:
        last = max(i for i, one in enumerate(self.commands) if isinstance(one, Start))
        start = self.commands[last]
        assert isinstance(start, Start)
        return start, [note for one in self.commands[last:] if isinstance(one, Notes) for note in one.notes]


class Show:
    """The play thread and the console in one, by a clock that the test moves.

    `song`: a script of MIDI messages that leads it instead of a timecode; the band may follow its clock.
    """

    def __init__(
        self,
        text: str = SHOW,
        first: str | None = None,
        song: Sequence[tuple[float, bytes]] = (),
        *,
        follows_clock: bool = False,
    ) -> None:
        self.clock = ManualClock(100.0)
        self.sink = Sink()
        self.conductor = Conductor(self.sink, band(), seed=1, tonic=0, slice_beats=LIVE_SLICE_BEATS)
        self.stage = OverrideStage(CountingMapper(), state())
        self.source = CueSource(self.conductor, self.stage.set_override, restarts=not follows_clock)
        self.sync_sources = [*([MidiClockSource(ScriptedInput(song, self.clock))] * follows_clock), self.source]
        self.timecode = TimecodeSender()
        self.presets, self.roles = ["band"], list[str]()
        self.goals: list[IsoGoal | None] = []
        targets = CueTargets(
            self.stage.set_override, ("band", "film"), lambda: self.presets[-1], self.presets.append,
            self.roles.append, lambda culture: None, self.goals.append,
        )  # fmt: skip
        sheet = read_cue_sheet(parse_nodes(text.encode(), "show.yaml"))
        reader = SongPositionReader(ScriptedInput(song, self.clock)) if song else TimecodeReader(self.timecode)
        self.player = CuePlayer(sheet, self.source, targets, cultures={}, leader=reader, first=first)
        self.said: list[str] = []
        self.conductor.start(self.now, self.stage.map(None, 0.0).parameters)

    @property
    def now(self) -> float:
        return self.clock.now()

    @property
    def snapshot(self) -> Snapshot:
        reading = self.stage.map(None, self.conductor.status().bars)
        return Snapshot(reading, self.conductor.status(), AudioHealth(0.0, 0, 0.0), SchedulerHealth(), 0)

    def play(self, seconds: float) -> None:
        for step in range(round(seconds / STEP)):
            self.clock.advance(STEP)
            sync = merge_sync_states(self.now, self.sync_sources)
            reading = self.stage.map(None, self.conductor.status().bars)
            self.conductor.advance(self.now, reading.parameters, sync)
            self.timecode.send_until(self.now)
            if step % 8 == 0:
                self.said += self.player.update(self.snapshot, self.now)

    def act(self, name: str, value: str | None = None) -> str | None:
        return self.player.act(Action(name, value), self.snapshot)

    def starts(self) -> list[float]:
        """When the music began, and began again."""
        return [one.origin_seconds for one in self.sink.commands if isinstance(one, Start)]

    def seconds_of_next(self, beats: float) -> float:
        tempo = self.conductor.tempo_map
        return tempo.seconds_at((tempo.beat_at(self.now) // beats + 1.0) * beats)


def test_go_is_heard_on_the_next_beat_in_the_cues_key_tempo_and_role() -> None:
    show = Show()
    show.play(3.33)
    assert show.player.standby == "standby 1/5: overture, sad, D dorian, lead"
    beat = show.seconds_of_next(1.0)
    assert show.act("go") == "cue 1: overture, sad, D dorian, lead"
    show.play(2.0)
    assert show.sink.first_note_after_the_last_start() == pytest.approx(beat, abs=0.02)
    assert show.stage.override == EmotionOverride(emotion="sad")
    assert show.conductor.status().bpm == pytest.approx(93.7, abs=0.3), "at once, as its first note"
    assert (show.conductor.status().tonic, show.conductor.status().mode) == ("D", "dorian")
    assert show.roles == ["lead"]
    assert show.player.standby == "standby 2/5: storm, angry, cut, film"


@pytest.mark.parametrize("wait", [2.0, 2.1, 2.37, 2.5, 2.61])
def test_go_takes_the_next_beat_wherever_it_comes(wait: float) -> None:
    show = Show()
    show.play(wait)
    show.act("go")
    pressed = show.now
    show.play(1.5)
    starts = [one for one in show.sink.commands if isinstance(one, Start)]
    assert 0.0 < starts[-1].origin_seconds - pressed <= 60.0 / starts[0].bpm + STEP


def test_a_cut_is_heard_at_once() -> None:
    show = Show()
    show.play(2.2)
    show.act("standby", "storm")
    show.act("go")
    pressed = show.now
    show.play(1.0)
    assert show.sink.first_note_after_the_last_start() - pressed <= 0.08
    assert show.presets == ["band", "film"]


def test_a_fade_moves_from_what_is_played_from_the_next_beat_on() -> None:
    show = Show()
    show.play(1.0)
    show.act("standby", "dusk")
    beat = show.seconds_of_next(1.0)
    show.act("go")
    starts = sum(isinstance(one, Start) for one in show.sink.commands)
    show.play(beat - show.now)
    assert show.snapshot.reading.state.valence == pytest.approx(0.0, abs=0.01)
    bar = 4 * 60.0 / show.conductor.status().bpm
    show.play(bar)
    assert show.snapshot.reading.state.valence == pytest.approx(0.25, abs=0.02)
    show.play(1.2 * bar)
    assert show.snapshot.reading.state.valence == 0.5
    assert sum(isinstance(one, Start) for one in show.sink.commands) == starts, "the music goes on"


def test_a_path_leads_from_place_to_place() -> None:
    show = Show()
    show.play(1.0)
    show.act("standby", "journey")
    show.act("go")
    show.play(1.0)
    valences = []
    for _ in range(40):
        show.play(0.24)
        valences.append(round(show.snapshot.reading.state.valence, 1))
    assert valences[0] < 0.6
    assert max(valences) == 0.8, "happy"
    assert valences[-1] == 0.0
    show.act("go")
    assert show.stage.override == EmotionOverride(), "the last cue follows what is heard"


def test_back_standby_and_the_end_of_the_show() -> None:
    show = Show()
    assert show.act("back") == "there is no cue before"
    assert show.act("standby", "nowhere") == (
        "no cue is called 'nowhere'; there are overture, storm, dusk, journey, free"
    )
    show.act("standby", "free")
    show.act("go")
    assert show.player.standby == "standby: no further cue"
    assert show.act("go") == "there is no further cue"
    assert (show.act("back") or "").startswith("cue 4: journey")


def test_a_rehearsal_begins_at_once_with_what_came_before() -> None:
    show = Show(first="dusk")
    show.play(1.0)
    assert show.said[0].startswith("cue 3: dusk")
    assert show.stage.override == EmotionOverride(0.5, -0.5)
    assert (show.presets[-1], show.roles, show.conductor.status().tonic) == ("film", ["lead"], "D")
    with pytest.raises(ConfigError, match="no cue is called 'dawn'"):
        Show(first="dawn")


def test_a_timecode_is_locked_chased_when_it_jumps_and_not_missed_when_it_goes() -> None:
    show = Show()
    show.play(2.0)
    show.timecode.begin(show.now, 70.0)
    locked = show.now
    while not show.said:
        show.play(0.04)
    assert show.said[0].startswith("cue 2: storm")
    assert show.now - locked <= 1.0
    show.play(3.0)

    bar_line = None
    show.timecode.begin(show.now, 95.0)
    while len(show.said) < 2:
        show.play(0.04)
        bar_line = show.seconds_of_next(4.0)
    assert show.said[1].startswith("cue 3: dusk")
    show.play(4.0)
    assert show.starts()[-1] == pytest.approx(bar_line, abs=0.05), "the next bar"

    show.timecode.stop()
    before = len(show.sink.notes)
    show.play(4.0)
    assert len(show.said) == 2
    assert len(show.sink.notes) > before + 8, "it plays on"
    assert show.stage.override.valence == 0.5


def test_a_timecode_that_runs_passes_from_cue_to_cue() -> None:
    show = Show()
    show.timecode.begin(show.now, 89.0)
    show.play(2.0)
    assert [line[:11] for line in show.said] == ["cue 2: stor", "cue 3: dusk"]


def test_a_locate_stands_by_with_its_cue_and_what_runs_from_there_begins_it_on_the_next_bar() -> None:
    show = Show()
    show.timecode.begin(show.now, 61.0)
    show.play(2.0)
    show.timecode.locate(show.now, 95.0)
    show.play(3.0)
    assert [line[:11] for line in show.said] == ["cue 2: stor"], "it stands; the music plays on"
    assert show.player.standby.startswith("standby 3/5: dusk")
    show.timecode.locate(show.now, 62.0)
    show.play(0.1)
    assert show.player.standby.startswith("standby 3/5: dusk"), "back in the cue that plays: the one after it"
    show.timecode.locate(show.now, 10.0)
    show.play(0.1)
    assert show.player.standby.startswith("standby 1/5: overture"), "before the first time"

    show.timecode.begin(show.now, 95.0)
    while len(show.said) < 2:
        show.play(0.04)
        bar_line = show.seconds_of_next(4.0)
    show.play(4.0)
    assert show.said[1].startswith("cue 3: dusk")
    assert show.starts()[-1] == pytest.approx(bar_line, abs=0.05)


SONG = """\
format: 1
cues:
  - {name: verse, place: sad, at: bar 1}
  - {name: lift, place: happy, at: bar 3}
  - {name: break, place: angry, cut: yes, at: bar 4 beat 3}
  - {name: end, place: "0.5,-0.5", at: bar 17}
"""


def run_song(begins: float, seconds: float, *first: bytes) -> list[tuple[float, bytes]]:
    """A MIDI clock at 120 BPM: a bar lasts 2 s."""
    return [*((begins - 0.001, one) for one in first), *((begins + n / 48.0, CLOCK) for n in range(int(48 * seconds)))]


def test_a_song_chooses_its_cues_by_its_bars() -> None:
    show = Show(SONG, song=run_song(102.0, 9.0, START))
    show.play(11.0)
    assert [line[:12] for line in show.said] == ["cue 1: verse", "cue 2: lift,", "cue 3: break"]
    beat = 60.0 / show.conductor.status().bpm
    _, verse, lift, cut = show.starts()
    assert 102.0 < verse <= 103.0, "four ticks tell the tempo, then the next beat"
    assert lift == pytest.approx(106.0, abs=0.5 * beat + 0.05), "the nearest of the band's own beats"
    assert cut == pytest.approx(109.0, abs=0.12)


def test_a_song_that_is_moved_stands_by_and_jumps_on_the_next_bar_and_one_that_stops_plays_on() -> None:
    moved = [(107.0, STOP), (108.0, song_position(16 * 16))]
    show = Show(SONG, song=[*run_song(102.0, 5.0, START), *moved, *run_song(110.0, 4.0, CONTINUE)])
    show.play(5.5)
    before = len(show.sink.notes)
    show.play(4.4)
    assert [line[:12] for line in show.said] == ["cue 1: verse", "cue 2: lift,"]
    assert len(show.sink.notes) > before + 8, "it plays on"
    assert show.player.standby == "standby 4/4: end, 0.5,-0.5"
    while len(show.said) < 3:
        show.play(0.04)
        bar_line = show.seconds_of_next(4.0)
    show.play(4.0)
    assert show.said[2] == "cue 4: end, 0.5,-0.5"
    assert show.starts()[-1] == pytest.approx(bar_line, abs=0.05)


def test_a_band_that_follows_the_songs_clock_changes_on_the_bar_and_does_not_start_again() -> None:
    show = Show(SONG, song=run_song(102.0, 9.0, START), follows_clock=True)
    changed = {}
    while show.now < 110.5:
        show.play(STEP)
        changed.setdefault(show.stage.override.emotion, show.now)
    assert changed["sad"] == pytest.approx(102.1, abs=0.1)
    assert changed["happy"] == pytest.approx(106.0, abs=0.06), "as its first note is made"
    assert changed["angry"] == pytest.approx(109.0, abs=0.05)
    assert show.starts()[-1] == pytest.approx(102.0, abs=0.01)
    assert show.conductor.status().beat == pytest.approx(2.0 * (show.now - 102.0), abs=0.1)


def test_a_cue_leads_what_is_heard_to_a_goal_until_a_cue_says_otherwise() -> None:
    text = "{name: ease, goal: calm, fade: 20 minutes, meet: 90 s}, {name: key, key: C}, {name: end, place: happy}"
    show = Show(f"format: 1\ncues: [{text}]\n")
    show.stage.set_override(EmotionOverride(emotion="angry"))
    assert show.act("go") == "cue 1: ease, meets what is heard, leads to calm in 20 min"
    goal = IsoGoal(EmotionOverride(0.4, -0.6), "calm", lead_seconds=1200.0, meet_seconds=90.0)
    assert (show.stage.override, show.goals) == (EmotionOverride(), [goal])
    show.act("go")
    assert show.goals == [goal], "it goes on"
    show.act("go")
    assert show.goals == [goal, None]


WALTZ = """\
format: 1
cues:
  - {name: walk, place: happy, at: bar 1}
  - {name: waltz, place: sad, metre: 3/4, at: bar 3}
  - {name: still, place: happy, fade: 2 bars, at: bar 5}
  - {name: march, place: angry, metre: 4/4, at: bar 7}
"""


def test_a_cue_changes_the_metre_as_it_starts_the_music_again() -> None:
    show = Show(WALTZ, song=[(1e9, STOP)])
    for cue, beats in (("walk", 4), ("waltz", 3), ("still", 3), ("march", 4), ("waltz", 3), ("walk", 4)):
        show.act("standby", cue)
        show.act("go")
        show.play(5.0)
        assert show.conductor.status().beats_per_bar == beats
        if cue == "waltz":
            assert {round(beat) % 3 for beat in show.sink.list_kicks_after_the_last_start()} == {0}


def test_a_songs_bars_count_in_the_metres_of_its_cues() -> None:
    sheet = read_cue_sheet(parse_nodes(WALTZ.encode(), "show.yaml"))
    cues = [sheet.find_at(beat, beats_per_bar=5) for beat in (0.0, 9.4, 9.5, 15.4, 15.5, 21.4, 21.5)]
    assert cues == [0, 0, 1, 1, 2, 2, 3], "two bars of five, then four of three"


@pytest.mark.parametrize(
    ("cue", "message"),
    [
        ("place: sad", "line 3: cues.[1] lacks `name`; it must have name"),
        ("name: a b, place: sad", "line 3: cues.[1].name must be of a-z, 0-9 and hyphens"),
        ("name: a", "line 3: cues.[1] does nothing; give it a place, a path, follow"),
        ("name: a, place: merry", "line 3: cues.[1].place does not fit: 'merry' is no place: give one of happy, sad"),
        (
            "name: a, place: sad, follow: yes",
            "does not go together with place; give one of place, path, ",
        ),
        ("name: a, place: sad, fade: soon", "fade is 'soon'; write it as `4 bars`, `6 s` or `20 minutes`, over 0"),
        ("name: a, place: sad, fade: 0 bars", "fade is '0 bars'; write it as `4 bars`"),
        ("name: a, place: sad, cut: yes, fade: 2 s", "fade is for a cue with a place or a goal, without a cut"),
        ("name: a, place: sad, fade: 2 s, metre: 3/4", "metre is for a cue that starts the music again"),
        ("name: a, place: sad, metre: 7/8", "metre does not fit: '7/8' is no metre that can be fixed; write N/4"),
        ("name: a, goal: calm, place: sad", "goal does not go together with place"),
        ("name: a, goal: calm, fade: 8 bars", "fade is '8 bars'; a goal counts in time: write `20 minutes` or `90 s`"),
        ("name: a, place: sad, meet: 1 min", "meet is for a cue with a goal"),
        ("name: a, path: [{place: sad}, {place: happy}]", r"path.[2] lacks `fade`"),
        ("name: a, role: boss", "role is 'boss'; it must be one of accompany"),
        ("name: a, key: H", "key does not fit: 'H' is no key"),
        ("name: a, cut: maybe", "cut is 'maybe'; it must be yes or no"),
        ("name: a, place: sad, at: 25:00:00", "at is '25:00:00'; write it as 83.5, 1:23.5"),
        ("name: a, place: sad, at: bar 0", "at is 'bar 0'; write it as 83.5, 1:23.5 or 0:01:23.5, under 24 hours, or"),
        ("name: a, colour: red", "colour is not known here; there may be name, place, path"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_to_do(cue: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_cue_sheet(parse_nodes(f"format: 1\ncues:\n  - {{{cue}}}\n".encode(), "show.yaml"))
    assert message in str(error.value)
    assert str(error.value).startswith("show.yaml line 3: ")


def test_two_cues_of_one_name_or_out_of_order_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "show.yaml"
    file.write_text("format: 1\ncues:\n  - {name: a, place: sad}\n  - {name: a, place: happy}\n")
    with pytest.raises(ConfigError, match=r"line 4: .*name is 'a', as an earlier cue is"):
        load_cue_sheet(file)
    file.write_text("format: 1\ncues:\n  - {name: a, place: sad, at: 2}\n  - {name: b, place: happy, at: 1:00}\n")
    assert load_cue_sheet(file).find_at(59.0) == 0
    file.write_text("format: 1\ncues:\n  - {name: a, place: sad, at: 1:00}\n  - {name: b, place: happy, at: 2}\n")
    with pytest.raises(ConfigError, match=r"line 4: .*at is not later"):
        load_cue_sheet(file)
    file.write_text("format: 1\ncues:\n  - {name: a, place: sad, at: bar 2}\n  - {name: b, place: sad, at: 2:00}\n")
    with pytest.raises(ConfigError, match=r"line 4: .*at is not of the kind of the cue before"):
        load_cue_sheet(file)


def test_a_preset_that_is_not_there_is_refused_before_the_show() -> None:
    with pytest.raises(ConfigError, match=r"show.yaml line 3: .* no preset 'opera'; there are band, film"):
        Show("format: 1\ncues:\n  - {name: a, preset: opera}\n")


def test_a_fade_in_seconds_is_counted_in_bars_of_the_tempo() -> None:
    assert Fade(6.0, is_in_seconds=True).count_bars(2.0) == 3.0
    assert [str(Fade(1.0)), str(Fade(4.0)), str(Fade(6.0, is_in_seconds=True))] == ["1 bar", "4 bars", "6 s"]
    assert str(Fade(1200.0, is_in_seconds=True)) == "20 min"
