"""Reports of the scheduler process to its client: tagged msgspec structs, as the commands are."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kelly_live.core.protocols import SchedulerHealth


class PortReady(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ready"):
    """The port is open: its full name, and whether it is a virtual one.

    `measured_latency`: the stored one in seconds, by which everything leaves earlier; None if none is used.
    """

    name: str
    is_virtual: bool
    measured_latency: float | None = None


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="failure"):
    """The scheduler cannot go on; the reason in one line."""

    message: str


class HealthReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="health"):
    """The counters as of now."""

    health: SchedulerHealth


Report: TypeAlias = PortReady | Failure | HealthReport
