"""What the band can be synchronised to: the beat and key of the audio input, a MIDI clock, Ableton Link."""

TRACKABLE = ("tempo", "key")  # what AudioTracker can estimate
