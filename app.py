"""Starts the page: `python app.py`. A Hugging Face Space runs this file too."""

import os

# How long torch's threads spin when they wait for each other, before they sleep. By default that is so long that a
# forward pass takes many times as long where another process wants a core, as on shared machines; this little loses
# nothing where none does. Read when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

from seg_demo.ui.page import serve

if __name__ == "__main__":
    serve()
