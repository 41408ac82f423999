"""Labelled scans of many patients: what they say of themselves, and a cohort to train on."""
