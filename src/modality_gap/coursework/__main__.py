"""The command: python -m modality_gap.coursework."""

from .course import main

raise SystemExit(main())
