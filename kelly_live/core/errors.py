"""The errors a user can meet. Every message is one line: what happened, the rule, what to do."""

from __future__ import annotations


class KellyError(Exception):
    """The base of all expected failures: the command line prints one line and exits with `exit_code`."""

    exit_code = 1


class AudioError(KellyError):
    """An audio file or device cannot be read, or stopped delivering."""


class MidiError(KellyError):
    """A MIDI port or file cannot be found, opened or written."""


class ModelError(KellyError):
    """A checkpoint is missing, damaged or does not fit the code."""


class ConfigError(KellyError):
    """A setting, preset or parameter is outside its range."""


class OptionError(ConfigError):
    """An option or argument was given a value that it cannot take: a usage error."""

    exit_code = 2


class OutputError(KellyError):
    """A result cannot be written where it was asked for."""


class WorkerError(KellyError):
    """A worker process has ended, does not answer, or sent something else than messages."""
