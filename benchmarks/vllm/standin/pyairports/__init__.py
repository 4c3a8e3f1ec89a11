"""Stands in for a package that is gone from the index and that outlines 0.0.46 imports; nothing here is measured."""
