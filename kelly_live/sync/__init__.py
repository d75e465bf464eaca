"""Sources that the band is synchronised to: the audio input, a MIDI clock, Ableton Link."""

TRACKABLE = ("tempo", "key", "chords", "dynamics")  # what AudioTracker can estimate
COUNT_IN_RULE = "a bar of even clicks, words, pads or notes, one a beat"
