"""`python -m dynattrs`."""

from __future__ import annotations

import sys

from dynattrs.tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
