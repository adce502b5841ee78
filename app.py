"""Starts the page: `python app.py`. A Hugging Face Space runs this file too."""

import argparse
import importlib
import os
import sys

# How long torch's threads spin when they wait for each other, before they sleep. By default that is so long that a
# forward pass takes many times as long where another process wants a core, as on shared machines; this little loses
# nothing where none does. Read when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if "SPACE_ID" in os.environ or "--public" in sys.argv[1:]:
    # The Hub's client would take the token of the page's owner where nobody is named. Read when it is imported.
    os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"

from seg_demo.infer.lent import zero_gpu

if zero_gpu():
    importlib.import_module("spaces")  # before anything uses CUDA

from seg_demo.ui.page import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the page.")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860 on)")
    parser.add_argument(
        "--public", action="store_true", help="visitors are strangers: each has a workspace of their own"
    )
    arguments = parser.parse_args()

    serve(host=arguments.host, port=arguments.port, public=arguments.public or "SPACE_ID" in os.environ)
