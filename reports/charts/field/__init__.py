"""The chapter of all optimizers: which implementation of each there is in each framework, and what it is worth."""
