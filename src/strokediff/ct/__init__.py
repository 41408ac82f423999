"""Head CTs: read, found in what users give, checked, the brain in them, the network's grid."""
