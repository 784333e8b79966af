"""The command ``gpu``: everything that needs a GPU, in ten minutes."""
