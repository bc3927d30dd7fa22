"""Make the environments of other libraries: `python tests/other_programs install`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import other_programs  # noqa: E402

if sys.argv[1:] != ["install"]:
    sys.exit(__doc__)
other_programs.install()
