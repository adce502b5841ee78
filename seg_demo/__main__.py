"""`python -m seg_demo`: the command line."""

import sys

from seg_demo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
