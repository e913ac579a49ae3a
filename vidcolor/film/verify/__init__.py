"""The conformance of an output to its source."""

from vidcolor.film.verify.film import Verification, piece_of, verify

__all__ = ["Verification", "piece_of", "verify"]
