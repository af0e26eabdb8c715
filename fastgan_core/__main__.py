"""``python -m fastgan_core``: the command ``fastgan``."""

from fastgan_core.commands.main import main

main()
