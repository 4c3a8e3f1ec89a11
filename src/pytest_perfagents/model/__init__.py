"""The domain: commits, agent runs, sides, samples, outcomes. Standard library only, frozen, validated at birth."""

from pytest_perfagents.model.errors import BackendError, UsageError
from pytest_perfagents.model.outcomes import Failure, Integrity, Outcome, Tokens
from pytest_perfagents.model.runs import BASELINE, HUMAN, AgentRun, Case, Commit, Execution, Side
from pytest_perfagents.model.samples import Comparison, SideSamples, StatedTimes
from pytest_perfagents.model.vocabulary import PYTEST_OUTCOMES, Blame, Category, Change, Ending, Role, Stage

__all__ = [
    "BASELINE", "HUMAN", "PYTEST_OUTCOMES", "AgentRun", "BackendError", "Blame", "Case", "Category", "Change", "Commit",
    "Comparison", "Ending", "Execution", "Failure", "Integrity", "Outcome", "Role", "Side", "SideSamples", "Stage",
    "StatedTimes", "Tokens", "UsageError",
]  # fmt: skip
