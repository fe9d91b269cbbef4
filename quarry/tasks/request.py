"""Celery's request, with more to say in its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.worker.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunRequest(Request):  # type: ignore[misc]  # celery has no types
    """A message at work in a worker.

    Each attempt of a job has a message of its own, whose header can't know the attempt: the ledger tells it
    when the message is claimed. And Celery's event of a failed task lacks its runtime. What is set here goes
    into the events that follow, so that Flower's columns say what people expect of them.

    Attributes:
        shown: Fields of a task event.
    """

    shown: Mapping[str, Any] | None = None

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - celery's name
        """Send a task event."""
        super().send_event(type, **{**(self.shown or {}), **fields})
