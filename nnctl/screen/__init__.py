"""Text for people: without control characters and of bounded length, whatever names and data hold."""
