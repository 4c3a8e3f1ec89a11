"""A mill: jobs are planned onto machines, texts cut into words, lots drawn."""
