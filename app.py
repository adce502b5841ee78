"""Starts the page: `python app.py`. A Hugging Face Space runs this file too."""

from seg_demo.ui.page import serve

if __name__ == "__main__":
    serve()
