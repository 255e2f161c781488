"""States of a run, one file per representation; `initial` builds those at t = 0."""
