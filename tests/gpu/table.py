"""What was measured beside what it is to be, one line each."""

TARGETS = {  # of the default network, and of resnet50 where it has its own
    "fps": {"resnet50": 300, "": 600},
    "ratio": {"resnet50": 3.0, "": 2.0},
    "memory": {"resnet50": 600, "": 300},  # MB
}


def target(of: str, variant: str) -> float:
    """What a variant is to reach."""
    return TARGETS[of].get(variant, TARGETS[of][""])


def table(results: dict[str, dict]) -> str:
    """The results as text: the part, what was measured, the target and whether it is reached."""
    lines = [(name, *line) for name, result in results.items() for line in lines_of(name, result)]
    width = max((len(line[0]) for line in lines), default=0)
    return "\n".join(f"{name:{width}}  {measured}{judged(*verdict)}" for name, measured, *verdict in lines)


def judged(wanted: str = "", reached: bool = True) -> str:
    """The end of a line."""
    return f"  [{wanted}: {'yes' if reached else 'NO'}]" if wanted else ""


def lines_of(name: str, result: dict):
    """``(measured,)`` or ``(measured, target, reached)`` for each line about a part."""
    kind, _, variant = name.partition(" ")
    if result.get("status") != "done":
        yield (f"{result.get('status')}: {result.get('error', '')[-300:]}",)
    elif kind == "environment":
        yield (f"{result['gpu']}; {result['versions']}; TFLOP/s {result.get('tflops', 'not measured')}",)
    elif kind == "speed":
        wanted = target("fps", variant)
        yield described(result), f">= {wanted} fps", result["fps"] >= wanted
    elif kind in ("objects", "variations"):
        rows = result["rows"]
        for row in rows:
            yield (described(row),)
        if kind == "objects":
            ratio, wanted = rows[1]["step_ms"] / rows[0]["step_ms"], target("ratio", variant)
            what = f"{rows[1]['objects']} objects take {ratio:.2f} times as long as one"
            yield what, f"<= {wanted}", ratio <= wanted
    elif kind == "agreement":
        for way, r in result["ways"].items():
            what = f"{way}: mean IoU {r['mean']:.4f}, least {r['least']:.4f}, {r['shown']} of {r['frames']} with a mask"
            yield what, ">= 0.99", r["mean"] >= 0.99
    elif kind == "camera":
        whole = result["all"]
        times = ", ".join(f"{n} {result[n]['p50']:.2f} / {result[n]['p99']:.2f}" for n in ("all", "shrink", "step"))
        what = f"{times} ms p50 / p99, {result['frames']} frames of {result['camera']}"
        yield what, "<= 5 / 8 ms", whole["p50"] <= 5 and whole["p99"] <= 8
    elif kind == "steady":
        what = f"{result['growth_mb']:.1f} MB more (torch {result['torch_growth_mb']:.1f}), {result['frames']} frames"
        yield f"{what} at {result['fps']:.0f} fps", "flat", abs(result["growth_mb"]) < 5
    elif kind == "memory":
        wanted = target("memory", variant)
        for way in ("graphs", "plain"):
            r = result[way]
            held = f"{way}: {r['held_mb']:.0f} MB above the context of {result['context_mb']:.0f}"
            held += f", needed {r['needed_mb']:.0f} (torch's {r['torch_mb']:.0f} and {r['needed_torch_mb']:.0f})"
            yield held, f"<= {wanted} MB", r["held_mb"] <= wanted
            yield (f"{way}: dropped, {r['left_mb']:.0f} MB left, of which torch's {r['left_torch_mb']:.1f}",)
        more = result["graphs again"]["left_torch_mb"] - result["plain"]["left_torch_mb"]
        yield f"graphs again: dropped, {more:.1f} MB of torch's more", "nothing", more < 1


def described(row: dict) -> str:
    """A row of ``fastgan bench`` and its parts in a line."""
    way = "graphs" if row["graphs"] else "plain"
    way += " with cuDNN's benchmark" if row.get("cudnn_benchmark") else ""
    parts = ", ".join(
        f"{name} {row[key]:.2f}"
        for name, key in (
            ("device", "device_ms"), ("upload", "upload_ms"), ("describe", "describe_ms"), ("network", "network_ms")
        )
        if row[key] is not None
    )  # fmt: skip
    return (
        f"{row['precision']} {way} {row['network']} x{row['objects']}: {row['fps']:.0f} fps, "
        f"{row['step_ms']:.2f} / {row['p99_ms']:.2f} ms ({parts}), seen {row['seen']}, {row['memory_mb']:.0f} MB, "
        f"first after {row['first_s']:.1f} s"
    )
