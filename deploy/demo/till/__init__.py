"""A played point of sale: it does with the demo's sales what a shop does, and tells so as a real one."""
