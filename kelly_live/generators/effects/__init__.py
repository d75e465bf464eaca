"""Note effects: each changes the notes of the player that it stands behind."""
