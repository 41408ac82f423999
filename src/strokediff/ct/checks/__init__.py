"""What a volume must be before anything is computed from it, or be warned of."""
