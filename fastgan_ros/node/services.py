"""The node's services: every request gets an answer, and a refused one leaves the tracks as they were."""

import functools
import traceback

from rclpy.callback_groups import ReentrantCallbackGroup
from std_srvs.srv import SetBool, Trigger

from fastgan_core.errors import FastganError
from fastgan_core.running.memory import out_of_memory
from fastgan_interfaces.srv import RemoveObjects, SetReferenceBox, SetReferenceMask
from fastgan_ros.node.references import References, named


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
    """Serves ~/set_reference_mask, ~/set_reference_box, ~/remove_objects, ~/reset and ~/set_paused.

    `active` returns the running worker or raises FastganError with the reason why there is none;
    `settings` returns the current parameters.
    """

    def __init__(self, node, active, settings):
        self._active = active
        self._logger = node.get_logger()
        self._references = References(settings, node.resolve_topic_name("image"))
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
        return self._said(self._references.by_mask(self._active(), request, response))

    @_answered
    def _set_reference_box(self, request, response) -> str:
        return self._said(self._references.by_box(self._active(), request, response))

    def _said(self, message: str) -> str:
        self._logger.info(message)
        return message

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

        return f"Removed {named(worker.edit(change))}; {_known(response.remaining)}."

    @_answered
    def _reset(self, request, response) -> str:
        def change(tracker):
            dropped = tracker.ids
            tracker.reset()
            return dropped

        return f"Dropped {named(self._active().edit(change))}; send a new mask to ~/set_reference_mask."

    @_answered
    def _set_paused(self, request, response) -> str:
        worker = self._active()
        worker.pause(request.data)
        return "Paused: frames are let go until resumed." if request.data else "Running."


def _known(ids) -> str:
    return "set now: " + (", ".join(map(str, ids)) or "none")
