"""`python -m deploy.simulators.card`."""

import os
import sys

import uvloop

from deploy.simulators.card import app, config
from shared.clock import clock_from

BAD_CONFIGURATION = 64


def main() -> None:
    try:
        read = config.read(os.environ, sys.argv[1:])
        clock = clock_from(dict(os.environ))
    except ValueError as error:
        print(f"card simulator: {error}", file=sys.stderr)
        raise SystemExit(BAD_CONFIGURATION) from error
    uvloop.run(app.serve(read, clock))


if __name__ == "__main__":
    main()
