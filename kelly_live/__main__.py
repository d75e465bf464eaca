"""`python -m kelly_live` is `kelly-live`."""

from kelly_live.cli import main

main()
