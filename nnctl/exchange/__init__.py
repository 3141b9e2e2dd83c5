"""Exchange with other tools: files of nets and weights, written and read."""
