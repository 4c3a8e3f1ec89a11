"""The one name that outlines imports."""

AIRPORT_LIST: list[tuple[str, ...]] = []
