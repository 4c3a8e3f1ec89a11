"""Where code runs: one file each, all passing the same conformance tests."""
