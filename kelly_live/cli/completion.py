"""`kelly-live completion`: what a shell needs to complete commands, options and names."""

from __future__ import annotations

import re
import sys

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

from kelly_live.cli import COMPLETION
from kelly_live.engine.options.click_options import CheckedCommand, debug_option

SHELLS = ("bash", "zsh", "fish")


class QuotingBashComplete(BashComplete):
    """Click's completion for bash, with names of several words: bash takes each as it is typed."""

    def format_completion(self, item: CompletionItem) -> str:
        """Return an item as the script of `source` reads it."""
        escaped = re.sub(r"([^\w@%+=:,./-])", r"\\\\\1", str(item.value))  # twice: its `read` takes one away
        return f"{item.type},{escaped}"


add_completion_class(QuotingBashComplete, "bash")


@click.command("completion", cls=CheckedCommand)
@click.argument("shell", type=click.Choice(SHELLS))
@debug_option
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete commands, options, ports, presets, cultures, emotions and profiles.

    \b
    bash  eval "$(kelly-live completion bash)"    in ~/.bashrc
    zsh   eval "$(kelly-live completion zsh)"     in ~/.zshrc
    fish  kelly-live completion fish > ~/.config/fish/completions/kelly-live.fish
    """  # noqa: D301 - click needs the backspace itself
    kind = get_completion_class(shell)
    assert kind is not None
    sys.stdout.write(kind(ctx.find_root().command, {}, "kelly-live", COMPLETION).source())
