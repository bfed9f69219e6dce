"""Functions, state machines and schedules."""
