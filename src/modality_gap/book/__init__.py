"""What the book's pages are furnished with: the ledger, figures, numbers in sentences."""
