"""The command line. `kelly-live [options]` is `kelly-live live [options]`.

Each command is one file in this folder.

Nothing heavy is imported here, so that `--help` answers at once; a command imports what it needs when it runs.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from kelly_live import __version__
from kelly_live.core.errors import KellyError
from kelly_live.core.wording import escape

# name -> one line for the list of commands; the module of the same name (`-` as `_`) holds `command`.
COMMANDS = {
    "live": "listen and play into a MIDI port until Ctrl-C (what a bare `kelly-live [options]` does)",
    "demo": "hear it now: no sound card, MIDI or network needed",
    "devices": "audio inputs and MIDI outputs, and which would be chosen",
    "setup": "choose your ports once: a few questions, each with a test",
    "test-note": "a few notes into a MIDI output, to hear whether your synth is wired",
    "doctor": "what works on this machine and what does not, as a report to paste",
    "render": "accompany a recording, faster than real time: IN.wav -> OUT.mid",
    "compose": "music for an emotion that you name; no audio",
    "completion": "what your shell needs to complete commands, options and names",
    "config": "options given once for all: your ports, your profile, how it plays",
    "learn": "teach a MIDI pad, knob or pedal what to do while playing",
    "latency": "how late your synth is heard, and what --latency-ms should be",
    "replay": "play a recording's log again: the same MIDI to the byte",
    "report": "what a session was, from its log: feeling, music, who steered; JSON and a picture",
    "analyze": "the emotion in audio files, as text or JSON lines",
    "profile": "teach it what *you* mean by sad: profiles, and what they have learned",
    "presets": "host presets: who plays which part, on which channel and port",
    "study": "ask people what they hear: a listening study in a browser, and its analysis",
    "gallery": "two minutes of each emotion and one of each tradition, to hear and to see",
    "generators": "the players that are installed, ours and others', and their parameters",
    "cultures": "the musical traditions that can be played, and where each number comes from",
    "models": "the sets of models, what they are made of and may be used for",
    "lab": "make and measure the models: train, evaluate, judge, compare, bench and more",
    "follow": "the tempo, key and chords of recordings, as `--follow` hears them",
}
# `\b` keeps click from filling the lines below it.
HELP = """Listen to a player, a voice or a room, read the emotion in the sound, and play along over MIDI.

\b
kelly-live --midi-out "IAC Bus"      play along, live
kelly-live demo                      see and hear what it does
"""
_NO_WORK = frozenset({"-h", "--help", "--version"})  # nothing is done, so nothing is logged
COMPLETION = "_KELLY_LIVE_COMPLETE"  # set by a shell that asks what could be typed; click's name for it
_WITH_VALUE = (
    "--profile", "--culture", "--culture-strength", "--preset", "--with", "--set", "--models", "--device", "--config",
)  # fmt: skip
COMMON_FLAGS = {"--debug": 0, **dict.fromkeys(_WITH_VALUE, 1)}  # option -> values that it takes


class LiveByDefault(click.Group):
    """Loads a command's module when it is asked for; options without a command mean `live`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load the command of this name; None if there is none."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"kelly_live.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with the command put first; a shell that completes the first word needs all commands."""
        return super().parse_args(ctx, args if ctx.resilient_parsing and not args else put_command_first(args))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the first word can be: a command, or an option of `live`."""
        if not incomplete.startswith("-"):
            return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        live = self.get_command(ctx, "live")
        options = [] if live is None else live.shell_complete(click.Context(live, ctx, "live"), incomplete)
        return list({item.value: item for item in (*super().shell_complete(ctx, incomplete), *options)}.values())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands into the help, and under which headings the options of `live` stand."""
        from kelly_live.engine.options.sections import SECTIONS

        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        live = self.get_command(ctx, "live")
        flags = {flag for param in live.params for flag in param.opts} if live is not None else set()
        margin = 2 + max(map(len, SECTIONS))
        with formatter.section("Options of `live`"):
            for title, listed in SECTIONS.items():
                row = textwrap.fill(
                    " ".join(flag for flag in listed if flag in flags),
                    formatter.width,
                    initial_indent=f"  {title:<{margin}}",
                    subsequent_indent=" " * (margin + 2),
                    break_on_hyphens=False,
                )
                formatter.write(f"{row}\n")


def put_command_first(args: Sequence[str]) -> list[str]:
    """Put the command first: `--debug demo` -> `demo --debug`; options alone -> `live ...`."""
    i = 0
    while i < len(args):
        name, _, inline = args[i].partition("=")
        if name not in COMMON_FLAGS:
            break
        i += 1 + (0 if inline else COMMON_FLAGS[name])
    rest = args[i:]
    if not args or (rest and rest[0] in ("--help", "-h", "--version")):
        return list(rest) if rest else ["live"]
    if rest and not rest[0].startswith("-"):
        return [rest[0], *args[:i], *rest[1:]]
    return ["live", *args]


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from kelly_live.core.model_licences import list_model_terms
    from kelly_live.core.resources import name_models
    from kelly_live.core.wording import plural
    from kelly_live.engine.options.completions import list_culture_names, list_preset_names

    click.echo(f"kelly-live {__version__}")
    for one in list_model_terms():
        licences = ", ".join(dict.fromkeys(" AND ".join(part.licence for part in one.parts).split(" AND ")))
        in_use = " (in use)" if one.name == name_models() else ""
        click.echo(escape(f"models {one.name}{in_use}: for {one.use}; {licences}"))
    click.echo(f"{plural(len(list_preset_names()), 'preset')}, {plural(len(list_culture_names()), 'tradition')}")
    ctx.exit()


@click.group(
    cls=LiveByDefault,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a command: `live`. See `kelly-live live --help` for its options.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, the models with their licence, and how many presets and traditions there are.",
)
def root() -> None:
    """Run a command; without one, `live`."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a KellyError (one line on stderr), 2 a usage error."""
    # Exiting from outside the handlers: a pending exception would keep its frames, and all that they hold, alive
    # until the interpreter goes down, where some libraries complain about it.
    sys.exit(run_program(list(sys.argv[1:] if args is None else args)))


def run_program(arguments: list[str]) -> int:
    """Run one command with the log set up, and return its exit code."""
    from kelly_live.engine.log_setup import set_up_logging

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a folder's name need not be text
    debug = "--debug" in arguments
    is_work = _NO_WORK.isdisjoint(arguments) and COMPLETION not in os.environ
    log = set_up_logging(debug=debug, to_file=is_work)
    try:
        _require_working_folder()
        if COMPLETION in os.environ:
            import kelly_live.cli.completion  # noqa: F401 - it registers how bash gets names of several words
        return root.main(args=arguments, prog_name="kelly-live", standalone_mode=False) or 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        message = error.format_message()
        if context is not None and message == context.get_help():  # as click raises for a group without a command
            click.echo(message, err=True)
        else:
            click.UsageError(escape(" ".join(message.split())), context).show()
        return error.exit_code
    except Exception as error:
        from kelly_live.ui.error_report import report_error

        return report_error(error, debug=debug)
    finally:
        log.close()


def _require_working_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise KellyError("the folder that you are in was deleted; change to another one: `cd`") from error
