"""Any trained method over the patients of a prepared cohort, on the cohort's own grid."""
