"""What of the player is followed, and its change while the band plays.

Another tracker is made beside the music. Threads: `change` belongs to the console's, `names` is for any; `follow` makes
the tracker.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.queues import drain
from kelly_live.core.wording import join_words
from kelly_live.engine.options.commands import check_followed, parse_follow

if TYPE_CHECKING:
    from kelly_live.engine.options.piece import PieceOptions
    from kelly_live.engine.supervised_tracker import SupervisedTracker

NOTHING = "none"

_log = logging.getLogger(__name__)


class FollowSwitch:
    """Changes what is followed.

    Args:
        names: What is followed at first, of TRACKABLE.
        piece: What is fixed by hand, and can't be followed.
        create: Makes a tracker of names; None for none.
        use: Follows by a tracker from the next bar line on.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        piece: PieceOptions,
        create: Callable[[tuple[str, ...]], SupervisedTracker | None],
        use: Callable[[SupervisedTracker | None], None],
    ) -> None:
        self.names = names
        self._piece, self._create, self._use = piece, create, use
        self._wanted = names
        self._lines: deque[str] = deque(maxlen=16)
        self._lock = threading.Lock()  # held while a tracker is made: one after the other

    def change(self, text: str) -> str:
        """Follow names of TRACKABLE with commas between, `all`, or NOTHING; return what to print."""
        try:
            names = () if text.strip().lower() == NOTHING else parse_follow(text)
            check_followed(self._piece, names, count_in=False)
        except ConfigError as error:
            return f"follow: {error}"
        self._wanted = names
        threading.Thread(target=self._start, args=(names,), name="follow", daemon=True).start()
        return f"follow {join_words(names, 'and')}: starting" if names else "follow: ending with this bar"

    def take_lines(self) -> list[str]:
        """Return what there is to say since the last call."""
        return drain(self._lines)

    def _start(self, names: tuple[str, ...]) -> None:
        """Thread: follow. It has the play thread's priority, as an ordinary one could hold the interpreter up."""
        with self._lock:
            if names != self._wanted:  # another was asked for meanwhile
                return
            try:
                self._use(self._create(names))
            except Exception as error:  # whatever a tracker raises, the music goes on as before
                _log.exception("nothing else is followed")
                self._lines.append(f"follow: {type(error).__name__}: {' '.join(str(error).split())}; nothing changed")
                return
            self.names = names
            if names:
                self._lines.append(f"follows your {join_words(names, 'and')} from the next bar on")
