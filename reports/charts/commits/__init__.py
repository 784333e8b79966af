"""Charts of what changed from commit to commit."""
