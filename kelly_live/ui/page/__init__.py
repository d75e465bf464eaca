"""The page: a session seen and steered in a browser. It runs in a process of its own (`process.py`)."""
