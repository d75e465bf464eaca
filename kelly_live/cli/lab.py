"""`kelly-live lab …`: the commands that make and measure the models."""

from kelly_live.lab.cli import command

__all__ = ["command"]
