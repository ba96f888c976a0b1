"""What takes hours: the sweeps, what judges them, and what makes the stored files."""
