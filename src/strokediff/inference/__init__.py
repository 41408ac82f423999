"""The estimators of SDPM section 2.4, given a network as a callable."""
