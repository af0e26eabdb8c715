"""Setting objects: which frame a mask or a box belongs to, and from that frame to the present."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from builtin_interfaces.msg import Duration, Time
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_core.labels import MAX_ID, binary_to_one
from fastgan_core.selection.outline import outline
from fastgan_core.tracking.catch_up import CaughtUp, catch_up
from fastgan_core.tracking.history import SECOND, seconds
from fastgan_ros.messages.contract import MODES, NO_IMAGE
from fastgan_ros.messages.images import to_labels, to_msg, to_rgb
from fastgan_ros.messages.stamps import nanoseconds, to_time

PATIENCE = 0.3  # seconds that a mask waits for its image, which may still be on its way
NAMES = {number: name for name, number in MODES.items()}
REPLACE, MORE = MODES["replace"], MODES["more"]


class Start(NamedTuple):
    """The frame that objects are marked in."""

    stamp: int  # nanoseconds; 0: it has none
    small: Any  # as the tracker takes it
    picture: np.ndarray  # RGB as large as there is: the camera's image, or a kept frame at the network's size
    source: str  # "attached", "newest" or "kept"
    frame_id: str  # the camera's


class References:
    """Sets the objects of a request on the frame that it names and brings them to the present.

    `settings` returns the current parameters, `topic` is that of the images.
    """

    def __init__(self, settings, topic: str):
        self._settings = settings
        self._topic = topic

    def by_mask(self, worker, request, response) -> str:
        """Handle a SetReferenceMask; returns the message of its answer."""
        _check_mode(request)
        labels = to_labels(request.mask)
        start = self._start(worker, request, request.mask.header.stamp)
        response.ids, message = self._set(
            worker, start, lambda tracker: self._ids(labels, tracker, request.mode), request.mode, response
        )
        return message + self._remark(start, request.mask.header.stamp)

    def by_box(self, worker, request, response) -> str:
        """Handle a SetReferenceBox; returns the message of its answer."""
        _check_mode(request)
        start = self._start(worker, request, request.header.stamp)
        # Takes a tenth of a second: before the tracker is held, so that masks go on being published.
        found = _outline(start, request.box)

        def labels(tracker):
            number = request.id or _unnamed(tracker, request.mode)
            self._check_id(number)
            return found.astype(np.uint16) * number

        (number,), message = self._set(worker, start, labels, request.mode, response)
        kind, encoding = (np.uint16, "mono16") if number > 255 else (np.uint8, "mono8")
        header = Header(stamp=response.stamp, frame_id=start.frame_id)
        response.mask = to_msg(found.astype(kind) * kind(number), encoding, header)
        response.id = number
        return f"{message} Its outline has {found.sum()} pixels." + self._remark(start, request.header.stamp)

    def _start(self, worker, request, drawn_on: Time) -> Start:
        """The frame that came with the request, else the one that its stamp names, else the newest."""
        camera = worker.receiver
        if request.image.data or request.image.width or request.image.height:
            picture, header = to_rgb(request.image), request.image.header
            return Start(nanoseconds(header.stamp), camera.shrink(picture), picture, "attached", header.frame_id)
        if nanoseconds(drawn_on) and worker.history.extent()[0]:
            kept = worker.history.find(nanoseconds(drawn_on), PATIENCE)
            return Start(kept.stamp, kept.small, kept.small.pixels.cpu().numpy(), "kept", camera.frame_id)
        frame = camera.newest()
        if frame is None:
            raise FastganError(
                f"{NO_IMAGE} on {self._topic}: start the camera, or attach the image that the reference belongs to."
            )
        return Start(nanoseconds(frame.header.stamp), camera.shrink(frame.rgb), frame.rgb, "newest", camera.frame_id)

    def _set(self, worker, start: Start, labels, mode: int, response) -> tuple[list[int], str]:
        """Set labels(tracker) on a frame, run through the kept frames after it, and fill in the answer."""
        late = worker.history.after(start.stamp) if worker.history.keeps(start.stamp) else []
        if not late:
            ids = worker.edit(lambda tracker: tracker.set_reference(start.small, labels(tracker), NAMES[mode]))
            done, delay = CaughtUp(0, 0, start.stamp), 0
        else:
            delay = late[-1].stamp - start.stamp
            marked = []

            def look(tracker) -> list[int]:
                marked.append(labels(tracker))
                return _viewed(tracker, marked[0], mode)

            tracker, branch, epoch = worker.branch(look)
            ids = branch.set_reference(start.small, marked[0], "more" if mode == MORE else "replace")
            tracker.check_room(ids, NAMES[mode])

            def overtaken() -> bool:
                return worker.stopped or tracker.epoch != epoch

            budget = self._settings().catch_up_budget
            done = catch_up(branch, worker.history, start.stamp, budget, overtaken)
            # Until here the former objects were followed on; from here on there are the new ones, in the present.
            ids = worker.edit(lambda tracker: tracker.adopt(branch, late[-1].small, NAMES[mode], epoch))
        response.stamp = to_time(start.stamp)
        response.delay = Duration(sec=delay // SECOND, nanosec=delay % SECOND)
        response.frames_run, response.frames_skipped = done.run, done.skipped
        where = f"the frame of {seconds(start.stamp)} s" if start.source == "kept" else f"the {start.source} frame"
        message = f"{'Another view of' if mode == MORE else 'Set'} {named(ids)} on {where}."
        if late:
            message += f" It was {delay / SECOND:.2f} s old: {done.run} frames since then were run through"
            message += f", {done.skipped} left out." if done.skipped else "."
        if worker.paused:
            message += " The node is paused; tracking starts when ~/set_paused is called with false."
        return list(ids), message

    def _remark(self, start: Start, drawn_on: Time) -> str:
        if start.source != "newest" or nanoseconds(drawn_on) in (0, start.stamp):
            return ""
        return (
            f" The request names the frame of {seconds(nanoseconds(drawn_on))} s, but no frames are kept (parameter "
            "history_seconds, images without stamps): attach the image that it belongs to if the scene moves."
        )

    def _ids(self, labels, tracker, mode):
        """Ids as the tracker takes them: a mask of 0 and 255 alone is one object without an id."""
        one = binary_to_one(labels)
        if one is not labels:
            one = one.astype(np.uint16) * _unnamed(tracker, mode)
        self._check_id(int(one.max(initial=0)))
        return one

    def _check_id(self, largest: int) -> None:
        if largest > 255 and self._settings().mask_encoding == "mono8":
            raise FastganError(
                f"Id {largest} cannot be shown by ~/mask as mono8: use ids up to 255, or start the node with the "
                "parameter mask_encoding set to mono16."
            )


def named(ids) -> str:
    """Ids in words."""
    ids = list(ids)
    if not ids:
        return "no objects"
    return f"object {ids[0]}" if len(ids) == 1 else f"{len(ids)} objects (ids {', '.join(map(str, ids))})"


def _outline(start: Start, box) -> np.ndarray:
    """The object in a box of the camera's image, ``(H, W) bool`` at the camera's size."""
    picture, (height, width) = start.picture, start.small.size
    if picture.shape[:2] != (height, width):  # a kept frame
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return outline(picture, (box.x_offset, box.y_offset, box.width, box.height))


def _check_mode(request) -> None:
    if request.mode not in NAMES:
        raise FastganError(
            f"Mode {request.mode} is unknown: use 0 (replace all objects), 1 (add) or 2 (more: another view of objects "
            "that are tracked)."
        )


def _unnamed(tracker, mode: int) -> int:
    """The id of an object that the request gives none."""
    if mode == MORE:
        if len(tracker.ids) != 1:
            raise FastganError(f"Which object is it? Give its id; tracked are {named(tracker.ids)}.")
        return tracker.ids[0]
    return 1 if mode == REPLACE else next(number for number in range(1, MAX_ID + 1) if number not in tracker.ids)


def _viewed(tracker, labels: np.ndarray, mode: int) -> list[int]:
    """Ids of the tracked objects that a request shows once more, for which what is known of them is needed."""
    if mode != MORE:
        return []
    ids = [int(number) for number in np.unique(labels) if number]
    tracker.check_room(ids, NAMES[mode])
    return ids
