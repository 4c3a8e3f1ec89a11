"""What the agents' runs took of their models: tokens, and dollars where there is a price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Table, many, share, table
from pytest_perfagents.prices import Price

PriceOf = Callable[[Entry], Price | None]
"""The price of the model that a run used; None where there is none."""

_COLUMNS = {
    "agent": Kind.TEXT,
    "model": Kind.TEXT,
    "runs": Kind.COUNT,
    "counted": Kind.COUNT,
    "share": Kind.SHARE,
    "input": Kind.TOKENS,
    "cached input": Kind.TOKENS,
    "cache writes": Kind.TOKENS,
    "output": Kind.TOKENS,
    "tokens": Kind.TOKENS,
    "tokens per commit": Kind.TOKENS,
    "priced": Kind.COUNT,
    "dollars": Kind.DOLLARS,
    "dollars per commit": Kind.DOLLARS,
    "dollars per success": Kind.DOLLARS,
}
_MEANS = (
    "Counted runs have token counts, priced ones also dollars. Averages per commit are over the commits of those runs.",
    "Cost per success: the dollars of the priced runs over how many of them are measured.",
)


def unpriced(_entry: Entry) -> Price | None:
    """There is no price list."""
    return None


@dataclass(frozen=True, slots=True)
class Spending:
    """What some runs took. ``counted`` are those whose tokens are known, ``dollars`` are by priced run."""

    runs: int
    counted: tuple[Entry, ...]
    priced: tuple[Entry, ...]
    dollars: tuple[float, ...]

    @property
    def tokens(self) -> int | None:
        """All tokens of the counted runs; None where there are no such runs."""
        return sum(entry.tokens.total for entry in self.counted if entry.tokens) if self.counted else None

    @property
    def cost(self) -> float | None:
        """Dollars of the priced runs; None where there are no such runs."""
        return sum(self.dollars) if self.dollars else None

    @property
    def cost_per_success(self) -> float | None:
        """Dollars of the priced runs for each of these that is measured; None where none is."""
        successes = sum(entry.measured for entry in self.priced)
        return sum(self.dollars) / successes if successes else None


def spending(entries: Sequence[Entry], price_of: PriceOf) -> Spending:
    """What the runs took."""
    counted = tuple(entry for entry in entries if entry.tokens is not None)
    paid = [(entry, dollars) for entry in counted if (dollars := cost_of(entry, price_of)) is not None]
    return Spending(len(entries), counted, tuple(entry for entry, _ in paid), tuple(dollars for _, dollars in paid))


def cost_of(entry: Entry, price_of: PriceOf) -> float | None:
    """Dollars of one run; None where its tokens or their price are not known."""
    price = price_of(entry) if entry.tokens is not None else None
    return price.dollars(entry.tokens) if price is not None and entry.tokens is not None else None


def cost_lines(found: Spending, price_of: PriceOf) -> tuple[str, ...]:
    """How far the figures go, and which models have no price."""
    if not found.counted:
        return (
            "Cost: no figure, for the records hold no token counts.",
            "They are taken from the agents' trajectories when an outcome is recorded.",
        )
    lines = [f"Token counts: {len(found.counted)} of {many(found.runs, 'run')}.", *_MEANS]
    bounds = sum(entry.tokens.at_least for entry in found.counted if entry.tokens)
    if bounds:
        lines.append(
            f"{bounds} of the counts are lower bounds: the trajectory breaks off, or does not tell of every call."
        )
    return (*lines, *_without_price(found, price_of))


def _without_price(found: Spending, price_of: PriceOf) -> list[str]:
    """A line for each model some runs of which have tokens and no dollars."""
    paid = {entry.id for entry in found.priced}
    lines = []
    left = [entry for entry in found.counted if entry.id not in paid]
    for (agent, model), members in most_first(grouped(left, lambda entry: (entry.agent, entry.model))):
        price = price_of(members[0])
        keys = {key for entry in members if price and entry.tokens for key in price.lacking(entry.tokens)}
        if price is None:
            why = f'no price; set [perfagents.prices."{model}"]'
        elif keys:
            why = f'no price of {", ".join(sorted(keys))}; set it in [perfagents.prices."{model}"]'
        else:
            why = "their trajectories do not tell input from output"
        lines.append(f"No dollars for {many(len(members), 'run')} of {agent} with {model}: {why}.")
    return lines


def cost_table(entries: Sequence[Entry], total: Spending, price_of: PriceOf) -> Table | None:
    """By agent and model, and the ``total``, of all entries; None where no run has token counts."""
    if not total.counted:
        return None
    groups = most_first(grouped(entries, lambda entry: (entry.agent, entry.model)))
    rows: list[Row] = [(*names, *_cells(spending(members, price_of))) for names, members in groups]
    if len(rows) > 1:
        rows.append(("total", None, *_cells(total)))
    return table("Tokens and cost", _COLUMNS, rows, what="groups", most=0)


def _cells(found: Spending) -> tuple[Cell, ...]:
    parts = zip(*(entry.tokens.parts for entry in found.counted if entry.tokens), strict=True)
    known = [[part for part in column if part is not None] for column in parts] or [[]] * 4
    sums = (sum(column) if column else None for column in known)
    money = (found.cost, _per(found.cost, found.priced), found.cost_per_success)
    counted = len(found.counted)
    tokens = (found.tokens, _per(found.tokens, found.counted))
    return (found.runs, counted, share(counted, found.runs), *sums, *tokens, len(found.priced) or None, *money)


def _per(amount: float | None, entries: Sequence[Entry]) -> float | None:
    """The amount for each commit of the entries."""
    return None if amount is None else amount / len({entry.place for entry in entries})
