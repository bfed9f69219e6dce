"""Templates and what people read about them, from plain data."""
