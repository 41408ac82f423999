"""What a trained model counts as a lesion, and how far its volumes are off: from patients."""
