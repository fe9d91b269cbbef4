"""The same as ``fetch``, in a file of its own: the configuration gives it a pool."""

from fetch import run as run  # noqa: PLC0414 -- this is all that the script is
