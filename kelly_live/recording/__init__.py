"""Records what is played: a MIDI file, and a log from which it can be played again to the byte."""
