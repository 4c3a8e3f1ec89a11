"""One pytest session: its options, its settings, what it plans to evaluate."""
