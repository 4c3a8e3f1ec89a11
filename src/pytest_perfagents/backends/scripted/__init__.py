"""A backend without processes: its sides answer from a description, on a clock that only they move.

For tests of the harness and the plugin, which then never sleep and never depend on the machine's speed.
"""

from pytest_perfagents.backends.scripted.backend import ScriptedBackend
from pytest_perfagents.backends.scripted.sides import Clock, Dies, Hangs, Moment, Raises, ScriptedSide

__all__ = ["Clock", "Dies", "Hangs", "Moment", "Raises", "ScriptedBackend", "ScriptedSide"]
