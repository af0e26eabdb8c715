"""The command line ``fastgan``, a file per command.

May import every room; imported by none. Heavy imports wait until a command runs, so that ``--help`` and a wrong option
are answered at once.
"""
