"""What the benchmark compares with: a plain Faust application, and the bare clients without any rules."""
