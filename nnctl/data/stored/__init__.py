"""Examples that stay on disk: arrays whose rows are read as they are asked for, and the folder that keeps them."""
