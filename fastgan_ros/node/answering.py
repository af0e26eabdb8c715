"""An answer to every request, also to those that rclpy's own services raise an exception on."""

import time
import warnings

from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically

PATIENCE = 3.0  # seconds that an answer waits for its client to be found


def answer_everything(node) -> None:
    """Guard the services that a node has now: what one of them raises is logged, and the caller is answered.

    Without it a parameter of a type that ROS does not know leaves its caller waiting for ever. A refused request of
    the parameters' services has the reason in its result; that of any other service, its response's defaults.

    An answer is sent again where the middleware has not yet found the client that waits for it: it gives up after
    0.1 s, which on a busy machine is too early for a client that has just started.
    """
    for service in node.services:
        service.callback = _guarded(service.callback, service.srv_type, service.srv_name, node.get_logger())
        service.send_response = _patient(service.send_response, service.srv_name, node.get_logger())


def _guarded(callback, kind, name: str, logger):
    refusal = _no_parameters if kind is SetParametersAtomically else lambda _: kind.Response()

    def attempt(request, response, refused):
        try:
            return callback(request, response)
        except Exception as error:
            reason = f"The request cannot be used ({type(error).__name__}: {error})."
            logger.warning(f"A request to {name} was refused. {reason}")
            return refused(reason)

    def answer(request, response):
        if kind is SetParameters:
            # Each by itself: one that cannot be used must not hide what became of those before it.
            for parameter in request.parameters:
                one = SetParameters.Request(parameters=[parameter])
                response.results.extend(attempt(one, SetParameters.Response(), _no_parameter).results)
            return response
        return attempt(request, response, refusal)

    return answer


def _patient(send, name: str, logger):
    def send_response(response, header) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            # rclpy only warns of it, or raises, by release. Set each time: whoever sets filters may drop this one.
            warnings.filterwarnings("error", message="failed to send response", category=RuntimeWarning)
            try:
                send(response, header)
                return
            except (RuntimeError, RuntimeWarning, SystemError) as error:
                reason = error.__cause__ or error
                if "timeout" not in str(reason):
                    raise
                if time.monotonic() > end:
                    logger.warning(f"An answer of {name} found no client: {reason}.")
                    return

    return send_response


def _no_parameter(reason: str):
    return SetParameters.Response(results=[SetParametersResult(successful=False, reason=reason)])


def _no_parameters(reason: str):
    return SetParametersAtomically.Response(result=SetParametersResult(successful=False, reason=reason))
