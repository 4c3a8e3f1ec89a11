"""Git: cache repositories, worktrees, patches and overlays; the user's clone is only ever read."""
