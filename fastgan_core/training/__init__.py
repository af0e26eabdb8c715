"""Training of the networks and the critics: losses, recipes, stages and the loops.

May import every room but commands; imported by commands alone. ``lite/`` trains the default network.
"""
