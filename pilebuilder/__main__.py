"""``python -m pilebuilder``: the same as the command."""

from pilebuilder.start import main

main()
