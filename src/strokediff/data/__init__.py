"""From files to `Volume` and back: NIfTI, DICOM, brain extraction, phantoms, cohorts."""
