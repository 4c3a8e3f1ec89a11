"""From samples to verdicts. Pure: clocks and seeds are arguments."""
