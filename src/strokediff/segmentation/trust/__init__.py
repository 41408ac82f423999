"""Whether a result may be trusted: checks of the scan, and how like the training it is."""
