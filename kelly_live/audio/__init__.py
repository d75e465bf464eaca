"""Audio in and out: capture, decoding, resampling, and the small synthesiser."""
