"""How to make each component with its defaults, by group; the contract test goes over all of them."""
