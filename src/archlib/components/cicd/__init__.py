"""Pipelines and builds: what starts them, what they run on, and where their artifacts go."""
