"""Questions to the history, and their answers as plain structs; money is text, quantities are numbers."""
