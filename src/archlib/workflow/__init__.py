"""What the command line and scripts both call: synthesize, check, write; plan, deploy (in :mod:`.deployment`)."""

from archlib.workflow.synthesis import (
    Synthesis,
    explain,
    read_stacks,
    read_template,
    render,
    synthesize,
    write,
)

__all__ = ["Synthesis", "explain", "read_stacks", "read_template", "render", "synthesize", "write"]
