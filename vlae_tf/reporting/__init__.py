"""Pages about runs: one file each, which needs nothing but a browser."""
