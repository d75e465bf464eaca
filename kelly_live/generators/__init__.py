"""Generators: the plug-in contract, the registry, host presets, and the band that plays them."""
