"""Synthetic head CTs with known truth: `make_phantom`, `write_cohort`, `write_dicom_series`."""
