"""Segments cases one after the other; each result folder is of one run, or of none."""

from strokediff.segmenting.cases import check_writable, segment_cases
from strokediff.segmenting.job import Job, Outcome

__all__ = ["Job", "Outcome", "check_writable", "segment_cases"]
