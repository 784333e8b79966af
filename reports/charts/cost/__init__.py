"""Charts of what a step costs in time and memory."""
