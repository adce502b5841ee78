"""`python tests/hub_server --port 8123 --root FOLDER`: the server on its own, beside other processes."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub_server import HubServer


def main() -> None:
    parser = argparse.ArgumentParser(description="A Hub on 127.0.0.1 for tests.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--root", type=Path, required=True, help="the folder for the files of the repositories")
    given = parser.parse_args()
    with HubServer(given.root, port=given.port) as hub:
        for name, value in hub.environment.items():
            print(f"export {name}={value}")
        for user, token in hub.users.items():
            print(f"# {user}: HF_TOKEN={token}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
