"""Celery's consumer, made to refuse a message that no task can be made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from celery.worker import state as worker_state
from celery.worker.consumer import Consumer

from quarry.tasks.job import BadMessageError

if TYPE_CHECKING:
    from collections.abc import Callable


class RunConsumer(Consumer):  # type: ignore[misc]  # celery has no types
    """A consumer that acknowledges and drops what breaks its task handler.

    Celery's own handler lets such an error out: the worker ends, the message goes back to the list, and the
    next worker ends too.
    """

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Return Celery's message handler with a guard around it."""
        handle = super().create_task_handler(*args, **kwargs)

        def guarded(message: Any) -> Any:
            try:
                return handle(message)
            except Exception as error:  # noqa: BLE001 -- any fault of one message is that message's alone
                self._free_slot(message)
                self.on_decode_error(message, error)
                return None

        return guarded

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Count, log and acknowledge a message that cannot become a task."""
        self.app.quarry_counts.refused += 1
        structlog.get_logger("quarry.tasks").warning(
            "broker.message_refused",
            error=type(exc).__name__,
            reason=str(exc)[:200],
            content_type=str(message.content_type)[:80],
        )
        if not message.acknowledged:
            message.ack()

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002 -- celery's signature
        """Refuse what is no task; Celery would log its content."""
        self.on_decode_error(message, BadMessageError("it is no task"))

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002 -- as above
        """Refuse another task than ours."""
        self.on_decode_error(message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002 -- as above
        """Refuse a task whose arguments cannot be read."""
        self.on_decode_error(message, exc)

    def _free_slot(self, message: Any) -> None:
        """Forget a request that was reserved and then failed on its way to the pool."""
        task_id = message.headers.get("id") if isinstance(message.headers, dict) else None
        request = worker_state.requests.get(task_id) if isinstance(task_id, str) else None
        if request is not None and request not in worker_state.active_requests:
            worker_state.task_ready(request)
