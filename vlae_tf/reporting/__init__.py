"""Reports on runs as self-contained HTML files, and checks of the machine."""
