"""Starts the page: `python app.py`. A Hugging Face Space runs this file too."""

import os

# torch's threads wait for each other asleep instead of spinning. Alone that costs nothing; where another process wants
# a core, as on shared machines, spinning makes a forward pass up to 25 times slower. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from seg_demo.ui.page import serve

if __name__ == "__main__":
    serve()
