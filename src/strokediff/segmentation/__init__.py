"""From a head CT to a lesion mask, its volume and how far to believe it."""
