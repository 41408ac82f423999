"""Pictures and pages that show a result to a person."""
