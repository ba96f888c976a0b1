"""The book's small world: the data set MAD, a small CLIP, its training and its measures."""
