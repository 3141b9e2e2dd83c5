"""Plans: what an executor runs, and how graphs become them."""
