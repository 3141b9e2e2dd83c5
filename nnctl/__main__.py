"""`python -m nnctl`."""

import sys

from nnctl.cli import main

# Worker processes of a sweep import this module again under another name.
if __name__ == "__main__":
    sys.exit(main())
