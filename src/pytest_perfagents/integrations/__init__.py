"""Neighbouring plugins, each of them optional at run time."""
