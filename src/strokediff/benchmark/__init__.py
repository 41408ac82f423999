"""Every method on the same patients, with the same training, in one table."""
