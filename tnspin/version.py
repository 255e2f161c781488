"""The version number, in one place (read by the build and written into every result file)."""

__version__ = "0.1.0"
