"""One small reader a corpus format: archives in, tunes (or tallies of what has no tunes) out."""
