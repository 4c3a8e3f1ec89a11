"""The arena of one commit: who may be measured, how it is done, what becomes of each run."""
