"""``archlib``: the entry point."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # A command is over before collecting garbage would have paid: neither while it imports, nor when Python ends.
    gc.disable()
    from archlib.cli.commands import run

    code = run()
    gc.freeze()
    sys.exit(code)
