"""`python -m codexd` is `codexd`."""

import sys

from codexd.cli import main

sys.exit(main())
