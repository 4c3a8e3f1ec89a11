"""Output text and files of others, read: perf scripts, predictions."""
