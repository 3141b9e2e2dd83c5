"""The language-free half of code generation: loop nests, inlining, argument tables, dialects."""
