"""The API of the tests in a process of its own, for what is measured from outside: `python -m ... DATABASE FOLDER`.

Prints its port once it serves, and stops when its standard input closes.
"""

import sys
from pathlib import Path

from tests.system.conftest import ApiServer, running


def main(database_url: str, folder: str) -> None:
    for server in running(ApiServer(database_url, "redis://127.0.0.1:9/0", Path(folder))):
        print(server.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
