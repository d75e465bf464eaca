"""Musical traditions as presets: values measured from corpora, each with its source; loading, listing, measuring."""
