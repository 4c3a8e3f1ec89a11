"""What is raised where the user or the machine is at fault."""

from __future__ import annotations


class UsageError(Exception):
    """The user or the machine is at fault; the text names the thing, the cause and the next step."""


class BackendError(UsageError):
    """A backend cannot work at all (no git, no Docker): nothing about one run, so no outcome can carry it."""
