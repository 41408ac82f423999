"""Methods that SDPM is compared with, one file each."""
