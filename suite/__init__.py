"""What "correct" means for AlphaAdam: the specification, its vectors, and the runner that checks implementations."""

SPEC_VERSION = "0.4.0"
