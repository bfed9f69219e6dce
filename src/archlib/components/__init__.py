"""Components: named groups of resources with safe defaults, each usable alone."""
