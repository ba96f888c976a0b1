"""`python -m modality_gap`: the same as the command `modality-gap`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
