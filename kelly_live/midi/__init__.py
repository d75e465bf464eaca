"""MIDI ports, scheduling, tuning and files.

`ports` and `inputs` find and open ports on the back ends; `scheduler` decides what is due, `scheduler_process` runs it
in a process of its own, `scheduler_client` feeds it, `offline` renders; `files` writes what was sent.
"""
