"""How a culture plays: its metres, scale, rhythm, melody and ornaments."""
