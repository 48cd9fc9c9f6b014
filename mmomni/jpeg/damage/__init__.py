"""What is wrong with a JPEG: its structure, its end, its tables, and what follows it."""
