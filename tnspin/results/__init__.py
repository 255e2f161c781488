"""Result files: variables and attributes, checksums, locks, facts of a run, summaries."""
