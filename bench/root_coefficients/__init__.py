"""The command ``fit-root``: coefficients of ROOT's Newton-Schulz iteration for the shapes of a task's matrices."""
