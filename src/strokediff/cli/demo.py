"""`strokediff demo`: a phantom patient as a DICOM series, segmented as any other."""
