"""Options values: their rules hold where they are made, and the command line is generated from them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.engine.options.click_options import CheckedCommand, add_options
from kelly_live.engine.options.commands import ComposeOptions, LiveOptions, RenderOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.external_io import ControllerOptions, ExternalIOOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.options.metadata import list_settings
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.options.recording import RecordingOptions
from kelly_live.engine.options.tuning import TuningOptions


def parse(cls: type, *arguments: str) -> object:
    """The options value that a command line gives."""
    values: list[object] = []

    @click.command(cls=CheckedCommand)
    @add_options(cls)
    def command(options: object) -> None:
        values.append(options)

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return values[0]


def test_a_folder_for_recordings_may_be_there_already_and_is_no_file(tmp_path: Path) -> None:
    options = parse(LiveOptions, "--record-folder", str(tmp_path))
    assert options == LiveOptions(recording=RecordingOptions(folder=tmp_path))
    (tmp_path / "take.mid").touch()
    with pytest.raises(click.BadParameter, match="is a file"):
        parse(LiveOptions, "--record-folder", str(tmp_path / "take.mid"))


def test_an_empty_command_line_gives_the_defaults() -> None:
    assert parse(LiveOptions) == LiveOptions()
    assert parse(RenderOptions) == RenderOptions()


def test_what_is_typed_reaches_its_field() -> None:
    arguments = (
        "--midi-out IAC --audio-in Mic --clock follow --midi-in Keys --latency-ms 20 --latency-ms back=-5 "
        "--frame-accurate --cc valence=20 --cc-channel 5 --osc 9000 --valence 0.5 --morph-to sad --morph-bars 4 "
        "--freeze --culture klezmer --culture-strength 0.5 --preset band --preset strings --with isobar "
        "--set chords.voicing=open --port back=IAC --tuning mpe --bend-range 2 --follow key "
        "--record a.mid --seed 7 --profile anna --device cpu"
    )
    assert parse(LiveOptions, *arguments.split()) == LiveOptions(
        midi_out="IAC",
        audio_in="Mic",
        external_io=ExternalIOOptions(
            "follow", "Keys", {"": 0.02, "back": -0.005}, True, ControllerOptions({"valence": 20}, 5), "9000"
        ),
        override=OverrideOptions(0.5, morph_to=EmotionOverride(emotion="sad"), morph_bars=4, freeze=True),
        culture=CultureOptions("klezmer", 0.5),
        host=HostOptions(
            ("band", "strings"), ("isobar",), settings=("chords.voicing=open",), outputs=(("back", "IAC"),)
        ),
        tuning=TuningOptions("mpe", 2),
        follow=("key",),
        recording=RecordingOptions(Path("a.mid")),
        seed=7,
        profile="anna",
        device="cpu",
    )


def test_a_command_offers_only_its_own_settings() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(ComposeOptions, "--emotion", "sad", "--freeze")
    with pytest.raises(click.NoSuchOption):
        parse(RenderOptions, "--port", "back=IAC")
    with pytest.raises(click.UsageError, match="--preset is given 2 times; give it once"):
        parse(ComposeOptions, "--emotion", "sad", "--preset", "band", "--preset", "strings")


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: LiveOptions(device="tpu"), "--device is 'tpu'; it must be one of auto, cpu"),
        (lambda: LiveOptions(seed=-1), "--seed is -1; it must be a number of at least 0"),
        (lambda: OverrideOptions(valence=2.0), "--valence is 2.0; it must be a number from -1 to 1"),
        (lambda: OverrideOptions(valence=float("nan")), "--valence is nan"),
        (lambda: CultureOptions("klezmer", 1.5), "--culture-strength is 1.5"),
        (lambda: ControllerOptions(channel=17), "--cc-channel is 17; it must be a number from 1 to 16"),
        (lambda: ExternalIOOptions(clock="lead"), "--clock is 'lead'"),
        (lambda: TuningOptions("mts", 2), "--bend-range has no meaning with --tuning mts"),
        (lambda: ComposeOptions(), "say which emotion"),
        (lambda: ComposeOptions(override=OverrideOptions(valence=0.5)), "go together"),
    ],
)
def test_a_rule_holds_where_the_value_is_made(make: object, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule.replace("(", r"\(")):
        make()  # type: ignore[operator]


def test_an_override_with_a_morph_and_a_log_of_what_is_set() -> None:
    override = OverrideOptions(emotion="sad", morph_to=EmotionOverride(emotion="happy"), morph_bars=2)
    assert override.build_override() == EmotionOverride(
        emotion="sad", morph=Morph(EmotionOverride(emotion="happy"), bars=2.0)
    )
    options = LiveOptions(midi_out="IAC", culture=CultureOptions("klezmer", 0.5), device="cpu")
    assert {("midi_out", "IAC"), ("culture", "klezmer"), ("culture_strength", "0.5")} <= set(list_settings(options))
    assert "osc" not in dict(list_settings(options))
