"""Turns result files into one self-contained HTML report: `python -m reports`.

The package reads asv's result files and the conformance results, and nothing else: it imports neither a
framework nor the code that was measured, so a report can be made anywhere, long after the run.

The way through it: `sources` reads files into tables, `charts` draws them, `matrix` lays out conformance,
`summary` puts the answers into words, and `page` assembles the document.
"""
