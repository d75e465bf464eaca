"""A listening study: its stimuli, the page that runs it, and the analysis of what people answered."""
