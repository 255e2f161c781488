"""Numerical methods without physics: linear algebra, series, steps, statistics, processes."""
