"""What pytest sees: options, items, fixtures, reports."""
