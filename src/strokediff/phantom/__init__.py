"""Synthetic head CTs with known truth: `make_phantom`, `write_cohort`, `write_dicom_series`."""

from strokediff.phantom.cohort import write_cohort
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import Phantom, make_phantom

__all__ = ["Phantom", "make_phantom", "write_cohort", "write_dicom_series"]
