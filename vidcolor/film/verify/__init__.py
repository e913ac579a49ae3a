"""The conformance of an output to its source."""

from vidcolor.film.verify.film import Verification, verify

__all__ = ["Verification", "verify"]
