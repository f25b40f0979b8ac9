"""`python -m streams.cli`: the command without its installed script."""

from streams.cli import main

main()
