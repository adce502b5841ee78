"""Checkpoints on the Hugging Face Hub: pushed, pulled, compared without downloading; and the page as a Space."""
