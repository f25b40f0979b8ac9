"""The rules of the business, pure: they read and write values only, and know neither clock nor network.

Every decision is a function of a `Books` (what is known about one store) and one message. What it changes is
collected there, to be carried out whole or not at all.
"""
