"""`python -m dynattrs`, and the command `dynattrs`."""

from __future__ import annotations

import sys

from dynattrs.tools.command import main

if __name__ == "__main__":
    sys.exit(main())
