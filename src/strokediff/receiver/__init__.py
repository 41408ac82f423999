"""A DICOM receiver: head CTs come by C-STORE, segmentations and reports go back."""
