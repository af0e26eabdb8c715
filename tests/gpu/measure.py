"""Measure what a GPU is to show: `python3 tests/gpu/measure.py OUTPUT` from the repository's root, see day.sh.

Results are kept in OUTPUT/results.json after every part; a part that is there is not measured again. A part that
fails, hangs or ends the process is noted and left out by the next call, unless that has --retry.
"""

import argparse
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import parts
from table import table

from fastgan_core.model import VARIANTS
from fastgan_core.running.threads import sleep_while_waiting

HANGING = 20  # seconds over its limit after which a part's process is ended


def plan(variants: list[str]) -> list[tuple[str, float]]:
    """All parts, the most important first, with the seconds that each may take."""
    default = parts.DEFAULT if parts.DEFAULT in variants else variants[0]
    main = list(dict.fromkeys([default, *(v for v in variants if v == "resnet50"), *variants]))
    return [
        ("environment", 40),
        *((f"speed {variant}", 40) for variant in main),
        ("agreement", 60),
        *((f"objects {variant}", 45) for variant in main),
        (f"camera {default}", 30),
        *((f"memory {variant}", 60) for variant in main[:2]),
        (f"steady {default}", 40),
        *((f"variations {variant}", 60) for variant in main[:2]),
    ]


def run(name: str, way: parts.Way, output: Path) -> dict:
    """One part; that of memory in a process of its own, whose context has seen nothing yet."""
    kind, _, variant = name.partition(" ")
    if kind == "memory":
        code = f"import json, parts; print(json.dumps(parts.memory(parts.{way!r}, {variant!r})))"
        call = [sys.executable, "-c", code]
        child = subprocess.run(
            call,
            check=False,
            cwd=Path.cwd(),
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=way.seconds,
        )
        if child.returncode:
            raise RuntimeError(child.stderr[-2000:])
        return json.loads(child.stdout.splitlines()[-1])
    result = getattr(parts, kind)(way, variant) if variant else getattr(parts, kind)(way)
    if profile := result.pop("profile", ""):
        with (output / "profile.txt").open("a") as file:
            file.write(f"{name}, {result['step_ms']:.3f} ms a step; ten steps:\n{profile}\n\n")
    return result


def child_environment() -> dict[str, str]:
    """Ours, in which the package and this folder are found."""
    return {**os.environ, "PYTHONPATH": f"{Path.cwd()}{os.pathsep}{Path(__file__).parent}"}


class Late(Exception):
    """A part took longer than it may."""


def on_alarm(*_):
    raise Late("it took longer than it may")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the program itself")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--only", nargs="+", default=[], help="parts whose names begin with one of these")
    parser.add_argument("--budget", type=float, default=150.0, help="seconds; no part begins later")
    parser.add_argument("--retry", action="store_true", help="also what failed before")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    file = args.output / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}

    def note(name: str, result: dict) -> None:
        results[name] = result
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(results, indent=1))
        partial.replace(file)

    for name, result in list(results.items()):
        if result.get("status") == "running":
            note(name, {"status": "failed", "error": "the process ended in it"})
        if args.retry and results[name].get("status") == "failed":
            del results[name]
    signal.signal(signal.SIGALRM, on_alarm)
    end = time.monotonic() + args.budget
    for name, seconds in plan(args.variants):
        wanted = not args.only or name.startswith(tuple(args.only))
        left = min(seconds, end - time.monotonic())
        if not wanted or name in results or left < 3:
            continue
        note(name, {"status": "running"})
        begin = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, left)
        faulthandler.dump_traceback_later(left + HANGING, exit=True)
        try:
            result = {"status": "done", **run(name, parts.Way(args.device, args.quick, left), args.output)}
        except Exception as error:
            result = {"status": "failed", "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
        result["seconds"] = round(time.monotonic() - begin, 1)
        note(name, result)
        print(f"{name}: {result['status']} in {result['seconds']} s {result.get('error', '')}", flush=True)
        if "CUDA error" in result.get("error", ""):
            return 3  # nothing works in this process any more
        parts.release_memory()
    text = table(results)
    (args.output / "table.txt").write_text(text + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sleep_while_waiting()
    sys.exit(main())
