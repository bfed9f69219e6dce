"""What is laid over MiniStack in the child process: the types that it lacks, and what it answers wrongly.

MiniStack has no public way to add a type, so the overlay reaches into its tables; its version is therefore pinned.
"""

from archlib.local.overlay.install import install

__all__ = ["install"]
