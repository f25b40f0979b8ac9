"""How the history grows, and stays within bounds: a table for each month, and months that are let go."""
