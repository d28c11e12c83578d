"""Unit tests of a configuration: what a stream must give, and nothing else."""
