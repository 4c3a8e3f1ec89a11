"""Agent runs and perf scripts on disk, their aliases, and which of them are selected."""
