"""What lies in an input: cases, patients that cannot be read, results of earlier runs."""
