"""Notes leave here: `ports` finds and opens outputs, `scheduler` decides what is due, `process` runs it beside the
parent, `client` feeds it (or renders offline), `files` writes what was sent.
"""
