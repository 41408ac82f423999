"""`viewer.html`: a result that can be turned and paged through, in one file, with NiiVue."""
