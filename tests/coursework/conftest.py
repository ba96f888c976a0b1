"""The tiny chapter is read by tests, and is no test."""

collect_ignore = ["01_tiny.md"]
