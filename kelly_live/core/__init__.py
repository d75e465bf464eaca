"""The values that packages exchange, the protocols between them, errors, clocks and small helpers.

Imports nothing of this package outside `core`. Every part that logs imports it, so that here the library is made quiet.
"""

import logging

logging.getLogger("kelly_live").addHandler(logging.NullHandler())
