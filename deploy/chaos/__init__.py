"""Breaks an installation of its own again and again, and checks that nothing came of it."""
