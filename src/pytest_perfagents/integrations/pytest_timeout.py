"""pytest-timeout's limits as our deadline: its alarm would end the test and leave processes behind."""

from __future__ import annotations

from typing import Any

import pytest

TIMEOUT_S = pytest.StashKey[float]()
"""The time limit of an item that pytest-timeout would have set."""

_SETTINGS = pytest.StashKey[Any]()
_FIXTURES = ("perf_outcome", "raw_perf_outcome")


class Takeover:
    """Takes the timer over where a run is evaluated; every other test keeps pytest-timeout's own.

    ``kinds`` are the classes of our items.
    """

    def __init__(self, *kinds: type[pytest.Item]) -> None:
        self._kinds = kinds

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Option, environment, ini and marker are ``settings`` by now; a true answer keeps the alarm away."""
        is_ours = isinstance(item, self._kinds)
        is_asking = not settings.func_only and any(name in getattr(item, "fixturenames", ()) for name in _FIXTURES)
        if not (is_ours or is_asking):
            return None
        item.stash[TIMEOUT_S] = float(settings.timeout)
        if is_asking:
            item.stash[_SETTINGS] = settings
        return True


def start_timer(item: pytest.Item) -> None:
    """Give a hand-written test, now that its run is evaluated, pytest-timeout's alarm for its own body."""
    settings = item.stash.get(_SETTINGS, None)
    plugin: Any = item.config.pluginmanager.getplugin("timeout")
    if settings is not None and plugin is not None:
        del item.stash[_SETTINGS]
        plugin.pytest_timeout_set_timer(item, settings)
