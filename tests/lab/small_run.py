"""`kelly-live` for torchrun in a test: the same commands, with few background sounds."""

from kelly_live.cli import main
from kelly_live.lab.training import sources

if __name__ == "__main__":
    sources.SOUND_COUNTS.update(dict.fromkeys(sources.SOUND_COUNTS, 2))
    main()
