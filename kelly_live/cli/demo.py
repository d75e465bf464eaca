"""`kelly-live demo`: the live path on the bundled recording; no sound card, MIDI or network needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.cli.options import CultureOptions, common, culture, profile, seed

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("kelly-live-demo"),
    show_default=True,
    help="The folder for the results; made if it is not there.",
)
@culture
@seed
@profile
@common
def command(out: Path, culture: CultureOptions | None, seed: int, profile: Profile | None, device: str) -> None:
    """Play along with the bundled recording; writes a MIDI file, a WAV and a picture."""
    from kelly_live.cli.render import render
    from kelly_live.core.atomic_write import create_folder
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.core.resources import find_resources

    create_folder(out, "name another with --out")
    recording = find_resources("presets") / "demo" / "recording.ogg"
    click.echo(f"listening to {recording}")
    click.echo(
        render(
            recording,
            out / "demo.mid",
            out / "demo.wav",
            out / "demo.png",
            steering=EmotionOverride(),
            culture=culture,
            freeze=False,
            seed=seed,
            profile=profile,
            device=device,
        )
    )
