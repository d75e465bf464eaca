"""Musical traditions as presets of measured values, and as styles for the band."""
