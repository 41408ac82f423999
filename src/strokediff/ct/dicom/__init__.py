"""DICOM in: files to headers, headers to stacks, a stack to a `CT`."""

from strokediff.ct.dicom.read import read_dicom_series

__all__ = ["read_dicom_series"]
