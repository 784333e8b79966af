"""The one error that reading result files raises."""


class SourceError(Exception):
    """A result file is missing or cannot be used; the message names it and what to do."""
