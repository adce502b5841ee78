"""Networks that other libraries build, as they stand in checkpoints that were made there."""
