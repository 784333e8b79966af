"""Charts of how well the optimizers train."""
