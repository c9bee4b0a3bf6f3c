"""``python -m drydock``"""

from drydock.cli.main import main

raise SystemExit(main())
