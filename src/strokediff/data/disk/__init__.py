"""Names, atomic writing, locks and processes: what the file system and the system can do to us."""
