"""``fastgan track | train | evaluate | export | bench``: the library from the command line."""

import argparse

from fastgan_core.commands import bench, evaluate, export, track, train
from fastgan_core.errors import in_words
from fastgan_core.running.threads import sleep_while_waiting

COMMANDS = {"track": track, "train": train, "evaluate": evaluate, "export": export, "bench": bench}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="fastgan", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        about = command.run.__doc__
        sub = commands.add_parser(name, help=about, description=about)
        command.add_options(sub)
        sub.set_defaults(run=command.run)
    return top


def main() -> None:
    sleep_while_waiting()
    args = parser().parse_args()
    with in_words("fastgan"):
        args.run(args)
