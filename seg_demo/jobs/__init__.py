"""Training runs as processes: whose they are, when it is their turn, how far they are, and how they ended."""
