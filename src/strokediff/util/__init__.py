"""What every part uses: files and locks, names, JSON and tensors on disk, plain text."""
