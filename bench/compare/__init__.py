"""The command ``compare``: optimizers compared on a task, trial by trial, here or on a Ray cluster."""
