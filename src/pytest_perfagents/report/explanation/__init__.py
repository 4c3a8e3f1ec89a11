"""One run on one screen."""
