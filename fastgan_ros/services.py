"""The node's services: every request gets an answer, and a refused one leaves the tracks as they were."""

import functools
import traceback

from rclpy.callback_groups import ReentrantCallbackGroup
from std_srvs.srv import SetBool, Trigger

from fastgan_core.errors import FastganError
from fastgan_core.masks import binary_to_one
from fastgan_core.outline import outline
from fastgan_interfaces.srv import RemoveObjects, SetReferenceBox, SetReferenceMask
from fastgan_ros.images import to_labels, to_msg, to_rgb
from fastgan_ros.worker import Frame

NO_IMAGE = "No image has arrived yet"

_MODES = {SetReferenceMask.Request.MODE_REPLACE: "replace", SetReferenceMask.Request.MODE_ADD: "add"}


def _answered(handler):
    """Turn what a handler raises into a refusal that says why."""

    @functools.wraps(handler)
    def answer(self, request, response):
        try:
            response.message = handler(self, request, response)
            response.success = True
        except FastganError as error:
            response.success, response.message = False, str(error)
        except Exception as error:
            # To raise would end the executor and leave the caller without an answer.
            self._logger.error(f"{handler.__name__.strip('_')} failed:\n{traceback.format_exc()}")
            response.success = False
            response.message = f"Internal error ({type(error).__name__}: {error}); the node's log has more."
        return response

    return answer


class Services:
    """Serves ~/set_reference_mask, ~/set_reference_box, ~/remove_objects, ~/reset and ~/set_paused.

    `active` returns the running worker or raises FastganError with the reason why there is none;
    `settings` returns the current parameters.
    """

    def __init__(self, node, active, settings):
        self._active = active
        self._settings = settings
        self._logger = node.get_logger()
        self._topic_of_images = node.resolve_topic_name("image")
        # Reentrant, so that a slow request does not hold up a pause.
        group = ReentrantCallbackGroup()
        for kind, name, handler in (
            (SetReferenceMask, "~/set_reference_mask", self._set_reference_mask),
            (SetReferenceBox, "~/set_reference_box", self._set_reference_box),
            (RemoveObjects, "~/remove_objects", self._remove_objects),
            (Trigger, "~/reset", self._reset),
            (SetBool, "~/set_paused", self._set_paused),
        ):
            node.create_service(kind, name, handler, callback_group=group)

    @_answered
    def _set_reference_mask(self, request, response) -> str:
        worker = self._active()
        _check_mode(request)
        labels = to_labels(request.mask)
        frame = self._frame(worker, request)
        response.ids, message = self._set(
            worker, frame, lambda tracker: self._ids(labels, tracker, request.mode), request, response, request.mask
        )
        return message

    @_answered
    def _set_reference_box(self, request, response) -> str:
        worker = self._active()
        _check_mode(request)
        frame = self._frame(worker, request)
        box = request.box
        # Takes a tenth of a second: before the tracker is held, so that masks go on being published.
        found = outline(frame.rgb, (box.x_offset, box.y_offset, box.width, box.height))

        def labels(tracker):
            free = 1 if request.mode == request.MODE_REPLACE else _lowest_free(tracker)
            self._check_id(request.id or free)
            return found.astype("uint16") * (request.id or free)

        ids, message = self._set(worker, frame, labels, request, response, request)
        mono16 = ids[0] > 255
        shown = found.astype("uint16" if mono16 else "uint8") * ids[0]
        response.mask = to_msg(shown, "mono16" if mono16 else "mono8", frame.header)
        response.id = ids[0]
        return f"{message} Its outline has {found.sum()} pixels."

    def _frame(self, worker, request) -> Frame:
        """The frame that came with the request, or the newest."""
        if _attached(request):
            return Frame(request.image.header, to_rgb(request.image))
        return self._newest(worker)

    def _set(self, worker, frame, labels, request, response, drawn) -> tuple[list[int], str]:
        """Set labels(tracker) on the frame and fill in the answer; `drawn` has the header that names the frame."""
        ids = worker.edit(lambda tracker: tracker.set_reference(frame.rgb, labels(tracker), _MODES[request.mode]))
        response.stamp = frame.header.stamp
        attached = _attached(request)
        message = f"Set {_named(ids)} on the {'attached' if attached else 'newest'} frame."
        drawn_on = drawn.header.stamp
        if not attached and _nanoseconds(drawn_on) not in (0, _nanoseconds(frame.header.stamp)):
            message += (
                f" The mask names the frame of {_seconds(drawn_on)} s but was set on the newest, of "
                f"{_seconds(frame.header.stamp)} s: attach the image that it was drawn on if the scene moves."
            )
        if worker.paused:
            message += " The node is paused; tracking starts when ~/set_paused is called with false."
        self._logger.info(message)
        return list(ids), message

    def _newest(self, worker) -> Frame:
        frame = worker.newest()
        if frame is None:
            raise FastganError(
                f"{NO_IMAGE} on {self._topic_of_images}: start the camera, or attach the image "
                "that the reference belongs to."
            )
        return frame

    def _ids(self, labels, tracker, mode):
        """Ids as the tracker takes them: a mask of 0 and 255 alone is one object with the lowest free id."""
        one = binary_to_one(labels)
        if one is not labels and mode == SetReferenceMask.Request.MODE_ADD:
            one = one.astype("uint16") * _lowest_free(tracker)
        self._check_id(int(one.max(initial=0)))
        return one

    def _check_id(self, largest: int) -> None:
        if largest > 255 and self._settings().mask_encoding == "mono8":
            raise FastganError(
                f"Id {largest} cannot be shown by ~/mask as mono8: use ids up to 255, or start the node with the "
                "parameter mask_encoding set to mono16."
            )

    @_answered
    def _remove_objects(self, request, response) -> str:
        worker = self._active()

        def change(tracker):
            # In a refusal too, the answer tells what is set.
            response.remaining = list(tracker.ids)
            if not request.ids:
                raise FastganError(f"Name the ids to remove; {_known(tracker.ids)}.")
            removed = tracker.remove(list(request.ids))
            response.remaining = list(tracker.ids)
            return removed

        return f"Removed {_named(worker.edit(change))}; {_known(response.remaining)}."

    @_answered
    def _reset(self, request, response) -> str:
        def change(tracker):
            dropped = tracker.ids
            tracker.reset()
            return dropped

        return f"Dropped {_named(self._active().edit(change))}; send a new mask to ~/set_reference_mask."

    @_answered
    def _set_paused(self, request, response) -> str:
        worker = self._active()
        worker.pause(request.data)
        return "Paused: frames are let go until resumed." if request.data else "Running."


def _check_mode(request) -> None:
    if request.mode not in _MODES:
        raise FastganError(f"Mode {request.mode} is unknown: use 0 (replace all objects) or 1 (add).")


def _attached(request) -> bool:
    return bool(request.image.data or request.image.width or request.image.height)


def _lowest_free(tracker) -> int:
    return next(number for number in range(1, 65536) if number not in tracker.ids)


def _named(ids) -> str:
    ids = list(ids)
    if not ids:
        return "no objects"
    return f"object {ids[0]}" if len(ids) == 1 else f"{len(ids)} objects (ids {', '.join(map(str, ids))})"


def _known(ids) -> str:
    return "set now: " + (", ".join(map(str, ids)) or "none")


def _nanoseconds(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def _seconds(stamp) -> str:
    return f"{stamp.sec}.{stamp.nanosec:09d}"
