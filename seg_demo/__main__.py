"""`python -m seg_demo`: the command line."""

import os
import sys

from seg_demo.cli.main import main

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as in app.py

if __name__ == "__main__":
    sys.exit(main())
