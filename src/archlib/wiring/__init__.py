"""How components reach each other: bindings, grants, and the one verb that applies them."""
