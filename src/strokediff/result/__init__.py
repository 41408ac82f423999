"""What a segmentation says: `result.json` as types, with its published schema."""
