"""The command `python -m modality_gap.experiments`."""

import sys

from .sweeps import main

if __name__ == "__main__":
    sys.exit(main())
