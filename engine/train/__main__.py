"""`python -m engine.train`: see `engine.train.program`."""

import sys

from engine import applog
from engine.train.program import main

if __name__ == "__main__":
    applog.configure(verbose=False)
    sys.exit(main())
