"""Recorded evaluations of others, read and judged by our rules: files in, outcomes and notes out."""
