"""From emotion to music parameters: the mapper, the culture, the taste of a person. No torch."""
