"""What a model's tokens cost: ``[perfagents.prices.<model>]``."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_perfagents.model import Tokens
from pytest_perfagents.tables import Table, number

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens. ``cached_input`` came from a cache, ``cache_write`` went to one; None: no price."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None

    def dollars(self, tokens: Tokens) -> float | None:
        """What they cost; None where one number is told for all, or some of them have no price."""
        if tokens.input is None or tokens.output is None or self.lacking(tokens):
            return None
        cached, written = (tokens.cached_input or 0), (tokens.cache_write or 0)
        full = tokens.input * self.input + tokens.output * self.output
        return (full + cached * (self.cached_input or 0) + written * (self.cache_write or 0)) / MILLION

    def lacking(self, tokens: Tokens) -> tuple[str, ...]:
        """The keys without which these tokens have no price."""
        needed = {"cached_input": tokens.cached_input, "cache_write": tokens.cache_write}
        return tuple(key for key, count in needed.items() if count and getattr(self, key) is None)


def take_prices(table: Table) -> dict[str, Price]:
    """The prices by model, as the file names it; what is wrong with them goes to the table's problems."""
    return {model: price for model in table.values if (price := _price(table.table(model))) is not None}


def _price(table: Table) -> Price | None:
    amount, before = number(0), len(table.problems)
    deeper = next((key for key, value in table.values.items() if isinstance(value, dict)), None)
    if deeper is not None:  # TOML takes the dot of gpt-4.1 for a table in a table
        name = f"{table.title.partition('prices.')[2]}.{deeper}"
        hint = f'quote a name with dots: [perfagents.prices."{name}"]'
        table.problems.append(f"{table.label} has a table {deeper!r}; {hint}")
        return None
    price = Price(
        input=table.need("input", amount, 0.0, "3.00"),
        output=table.need("output", amount, 0.0, "15.00"),
        cached_input=table.take("cached_input", amount, None),
        cache_write=table.take("cache_write", amount, None),
    )
    table.close()
    return price if len(table.problems) == before else None
