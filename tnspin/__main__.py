"""``python -m tnspin`` is the ``tnspin`` command."""

import sys

from tnspin.cli import main

sys.exit(main())
