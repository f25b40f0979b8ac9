"""What is done while all workers are stopped, on one installation for all of it."""
