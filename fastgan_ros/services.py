"""The node's services: every request gets an answer, and a refused one leaves the tracks as they were."""

import functools
import traceback

from rclpy.callback_groups import ReentrantCallbackGroup
from std_srvs.srv import SetBool, Trigger

from fastgan_core.errors import FastganError
from fastgan_core.masks import binary_to_one
from fastgan_interfaces.srv import RemoveObjects, SetReferenceMask
from fastgan_ros.images import to_labels, to_rgb
from fastgan_ros.loading import out_of_memory
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
            if out_of_memory(error):
                response.message = (
                    "The memory of the device does not suffice for this; the objects are tracked on as they were. "
                    "Mark fewer objects, remove some, free memory, or choose a smaller input_size."
                )
        return response

    return answer


class Services:
    """Serves ~/set_reference_mask, ~/remove_objects, ~/reset and ~/set_paused.

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
            (RemoveObjects, "~/remove_objects", self._remove_objects),
            (Trigger, "~/reset", self._reset),
            (SetBool, "~/set_paused", self._set_paused),
        ):
            node.create_service(kind, name, handler, callback_group=group)

    @_answered
    def _set_reference_mask(self, request, response) -> str:
        worker = self._active()
        if request.mode not in _MODES:
            raise FastganError(f"Mode {request.mode} is unknown: use 0 (replace all objects) or 1 (add).")
        labels = to_labels(request.mask)
        attached = bool(request.image.data or request.image.width or request.image.height)
        frame = Frame(request.image.header, to_rgb(request.image)) if attached else self._newest(worker)

        def change(tracker):
            ids = self._ids(labels, tracker, request.mode)
            return tracker.set_reference(frame.rgb, ids, _MODES[request.mode])

        response.ids = worker.edit(change)
        response.stamp = frame.header.stamp
        message = f"Set {_named(response.ids)} on the {'attached' if attached else 'newest'} frame."
        drawn_on = request.mask.header.stamp
        if not attached and _nanoseconds(drawn_on) not in (0, _nanoseconds(frame.header.stamp)):
            message += (
                f" The mask names the frame of {_seconds(drawn_on)} s but was set on the newest, of "
                f"{_seconds(frame.header.stamp)} s: attach the image that it was drawn on if the scene moves."
            )
        if worker.paused:
            message += " The node is paused; tracking starts when ~/set_paused is called with false."
        self._logger.info(message)
        return message

    def _newest(self, worker) -> Frame:
        frame = worker.newest()
        if frame is None:
            raise FastganError(
                f"{NO_IMAGE} on {self._topic_of_images}: start the camera, or attach the image "
                "that the mask was drawn on."
            )
        return frame

    def _ids(self, labels, tracker, mode):
        """Ids as the tracker takes them: a mask of 0 and 255 alone is one object with the lowest free id."""
        one = binary_to_one(labels)
        if one is not labels and mode == SetReferenceMask.Request.MODE_ADD:
            free = next(i for i in range(1, 65536) if i not in tracker.ids)
            one = one.astype("uint16") * free
        largest = int(one.max(initial=0))
        if largest > 255 and self._settings().mask_encoding == "mono8":
            raise FastganError(
                f"The mask has id {largest}, which ~/mask cannot show as mono8: use ids up to 255, or start "
                "the node with the parameter mask_encoding set to mono16."
            )
        return one

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
