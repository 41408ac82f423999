"""A result as DICOM objects: segmentation, structured report and secondary capture."""
