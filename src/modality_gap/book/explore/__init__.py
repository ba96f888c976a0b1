"""Interactive figures, for JupyterLab and for the book's pages."""

from .moving_gap import MovingGap, moving_gap

__all__ = ["MovingGap", "moving_gap"]
