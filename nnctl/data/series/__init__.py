"""Series and sequences from tables whose rows are steps."""
