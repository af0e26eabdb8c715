"""The command line ``fastgan``, a file per command.

May import every room; none imports it but for ``options``, which other programs share. Heavy imports wait until a
command runs, so that ``--help`` and a wrong option are answered at once.
"""
