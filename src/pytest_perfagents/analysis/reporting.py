"""The whole report, section by section, in the order in which a person asks."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_perfagents.analysis.breakdowns import breakdowns
from pytest_perfagents.analysis.cost import PriceOf, unpriced
from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.overview import overview
from pytest_perfagents.analysis.rates import group_table, rates
from pytest_perfagents.analysis.recommendations import recommendations
from pytest_perfagents.analysis.scoring import score_section
from pytest_perfagents.analysis.serving import serving_sections
from pytest_perfagents.analysis.speedups import speedup_section
from pytest_perfagents.analysis.tables import Document, Section
from pytest_perfagents.analysis.timeline import timeline
from pytest_perfagents.analysis.universal import universal_failures

_TITLE = "Evaluation report"


def report(
    entries: Sequence[Entry], *, by: Sequence[str] = (), seed: int = 0, price_of: PriceOf = unpriced
) -> Document:
    """What became of the runs; ``by`` adds a table that is grouped by these of `rates.KEYS`."""
    if not entries:
        return Document(_TITLE, (Section("Summary", ("There are no outcomes.",)),))
    compared, bare = serving_sections(entries)
    groups = Section("Groups", (), (group_table(entries, by, price_of),)) if by else None
    sections = [
        overview(entries),
        recommendations(entries),
        groups,
        rates(entries),
        score_section(entries, seed=seed),
        speedup_section(entries),
        compared,
        *breakdowns(entries),
        universal_failures(entries),
        bare,
        timeline(entries, price_of),
    ]
    return Document(_TITLE, tuple(section for section in sections if section is not None))
