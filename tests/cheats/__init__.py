"""Patches and scripts that cheat, and honest ones of the same shape: see README.md."""
