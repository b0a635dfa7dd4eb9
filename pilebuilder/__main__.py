"""``python -m pilebuilder``: the same as the command."""

from pilebuilder.cli import main

main()
