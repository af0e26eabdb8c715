"""What /diagnostics says about the node, and on the console when images stay away."""

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from fastgan_ros.frames import tally as events
from fastgan_ros.frames.tally import Report
from fastgan_ros.node.lifecycle import why_not_active

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def describe(node) -> DiagnosticStatus:
    """Return the status of a TrackerNode, whatever its state."""
    worker, camera, tracker, report = node.worker, node.camera, node.tracker, node.tally.report()
    values = {"state": node.state, **frame_values(report)}
    if worker is None or camera is None or tracker is None:
        level = ERROR if node.trouble else OK if node.state == "inactive" else WARN
        return status(node, level, why_not_active(node), values)
    silence = node.tally.silence()
    problem = worker.warning or camera.problem() or clock_problem(node.get_clock())
    if silence > node.settings.no_image_timeout:
        problem = f"No image for {silence:.0f} s. {camera.silence()}"
    ids = tracker.ids
    lost = [o.id for o in worker.objects if o.state == "lost" and o.id in ids]
    kept, span, megabytes = worker.history.extent()
    values |= {
        "image topic": camera.topic,
        "reliability": camera.reliability,
        "seconds without image": f"{silence:.1f}",
        "device": str(tracker.device),
        "precision": tracker.precision,
        "network size": " x ".join(str(side) for side in reversed(tracker.size or ())),
        "device memory (MB)": f"{tracker.device_memory() / 1e6:.1f}",
        "backend": tracker.backend,
        "frames kept": kept,
        "frames kept (s)": f"{span:.1f}",
        "frames kept (MB)": f"{megabytes:.1f}",
        "objects": len(ids),
        "objects lost": len(lost),
        "lost ids": ", ".join(map(str, lost)),
    }
    level, message = judge(report, problem, worker.paused, ids, lost)
    return status(node, level, message, values)


def clock_problem(clock) -> str | None:
    """Return a sentence when the node waits for simulated time and none comes."""
    if not clock.ros_time_is_active or clock.now().nanoseconds:
        return None
    return (
        "use_sim_time is set, but no time arrives on /clock: play the bag with --clock, start the simulator, or "
        "set use_sim_time to false."
    )


def status(node, level: bytes, message: str, values: dict) -> DiagnosticStatus:
    """Return one status, named after the node; values are shown as text."""
    return DiagnosticStatus(
        name=f"{node.get_fully_qualified_name().lstrip('/')}: tracking",
        level=level,
        message=message,
        hardware_id=values.get("device", ""),
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def frame_values(report: Report) -> dict:
    """Return rates, counts since the start, ages and times as diagnostics show them."""
    values = {"rate in (Hz)": f"{report.rate_in:.1f}", "rate out (Hz)": f"{report.rate_out:.1f}"}
    for event in (
        events.RECEIVED,
        events.PUBLISHED,
        events.DROPPED,
        events.PAUSED,
        events.UNUSABLE,
        events.OUTDATED,
        events.FAILED,
    ):
        values[f"frames {event}"] = report.counts.get(event, 0)
    timed = {"image age": report.age, **{f"{name} time": pair for name, pair in report.stages.items()}}
    for name, pair in timed.items():
        for part, value in zip(("p50", "p99"), pair or (None, None), strict=True):
            values[f"{name} {part} (ms)"] = "" if value is None else f"{value * 1e3:.1f}"
    return values


def judge(report: Report, problem: str | None, paused: bool, ids, lost) -> tuple[bytes, str]:
    """Return level and message of an active node; `problem` is what is wrong with the input, if anything."""
    if report.recent.get(events.FAILED):
        return ERROR, f"{report.recent[events.FAILED]} frames failed with an exception; see the node's log."
    if problem:
        return WARN, problem
    if report.recent.get(events.UNUSABLE):
        return WARN, f"{report.recent[events.UNUSABLE]} images could not be used; see the node's log."
    if paused:
        return OK, "Paused; call ~/set_paused with false to resume."
    if report.age and not -0.1 < report.age[0] < 60.0:
        return WARN, (
            f"The image stamps are {report.age[0]:.1f} s away from this node's clock: synchronise the "
            "clocks, or set use_sim_time when a bag or a simulator plays."
        )
    if not ids:
        return OK, "Waiting for a mask on ~/set_reference_mask."
    if lost:
        return WARN, f"Lost: {', '.join(map(str, lost))} of {len(ids)} objects."
    what = "1 object" if len(ids) == 1 else f"{len(ids)} objects"
    return OK, f"Tracking {what} at {report.rate_out:.1f} Hz."
