"""Commands of ``perfagents`` that are more than a few lines."""
