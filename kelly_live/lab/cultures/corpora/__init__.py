"""Readers of corpora, one for each format: archives in, tunes or statistics out."""
