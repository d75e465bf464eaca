"""Culture presets: measured from corpora of melodies, and recognised again in composed music."""
