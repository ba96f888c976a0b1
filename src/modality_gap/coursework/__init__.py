"""Coursework from the chapters: what an exercise is, and what is handed out and marked."""
