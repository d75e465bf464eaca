"""The settings of the program as typed, frozen values.

Each value states its defaults, units and ranges, and checks them where it is made. The metadata of its fields (flag,
metavar, help) is all that a command line needs: `click_options` generates the click declarations from it.
"""
