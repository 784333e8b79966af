"""Reads result files into pandas tables, with one clear error where a file is missing or broken."""

from reports.sources.asv_results import ASV_COMMAND, MISSING, AsvResults, MissingBenchmarkError, load_asv
from reports.sources.conformance import CASE, CONFORMANCE_COMMAND, OUTCOMES, Conformance, load_conformance
from reports.sources.error import SourceError

__all__ = [
    "ASV_COMMAND",
    "CASE",
    "CONFORMANCE_COMMAND",
    "MISSING",
    "OUTCOMES",
    "AsvResults",
    "Conformance",
    "MissingBenchmarkError",
    "SourceError",
    "load_asv",
    "load_conformance",
]
