"""From what happened to what it is called, whose move it is and what mends it. Pure functions over facts.

Only `names` reads files: sources in which a name may be misspelt.
"""

from pytest_perfagents.diagnosis.agents import agent_failure
from pytest_perfagents.diagnosis.sides import diagnose
from pytest_perfagents.diagnosis.types import Evidence

__all__ = ["Evidence", "agent_failure", "diagnose"]
