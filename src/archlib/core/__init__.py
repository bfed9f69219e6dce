"""The base: apps, stacks, components, and how they become plain data."""
