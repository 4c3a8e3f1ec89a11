"""Rows of a table."""


def rows(count):
    """So many."""
    return [[number, number + 1] for number in range(count)]
