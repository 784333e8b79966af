"""The commands ``track`` and ``merge``: asv as a careful person runs it, and its results carried as files."""
