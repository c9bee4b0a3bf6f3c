"""``python -m drydock``"""

import os
import sys

# Images of Python set it, and what is never written down is compiled again at each start, of ours and of our children: that
# took more than half of the time. Where nothing may be written, nothing is.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    sys.dont_write_bytecode = False

from drydock.cli.main import main

raise SystemExit(main())
