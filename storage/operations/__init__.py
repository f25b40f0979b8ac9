"""What operators do to the history: recorded, one at a time, and kept when the history is made anew."""
