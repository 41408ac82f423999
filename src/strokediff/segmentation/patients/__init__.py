"""Segments cases one after the other; each result folder is of one run, or of none."""

from strokediff.segmentation.patients.cases import check_writable, segment_cases
from strokediff.segmentation.patients.job import Job, Outcome
from strokediff.segmentation.patients.run import segment_folder

__all__ = ["Job", "Outcome", "check_writable", "segment_cases", "segment_folder"]
