"""How the page looks: theme and the little CSS that themes cannot say."""

from __future__ import annotations

import gradio as gr

# Fonts of the visitor's own system: nothing is fetched, and Japanese and Chinese look native.
FONTS = ["system-ui", "Hiragino Sans", "Noto Sans CJK JP", "PingFang SC", "Microsoft YaHei", "sans-serif"]

THEME = gr.themes.Default(
    primary_hue="teal",
    neutral_hue="slate",
    font=FONTS,
    font_mono=["ui-monospace", "monospace"],
    radius_size="lg",
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_950",
    block_border_width="1px",
    block_shadow="none",
)

CSS = """
.gradio-container { width: 100%; max-width: 1680px !important; margin: 0 auto !important; }
.gradio-container > .main { width: 100%; max-width: none !important; padding: 14px 24px !important; }
.page-head h1 { margin: 0; font-size: 1.3rem; letter-spacing: -0.01em; }
.page-head p { margin: 0.1rem 0 0; color: var(--body-text-color-subdued); }
@media (min-width: 900px) {
  .segment-tab { flex-wrap: nowrap !important; }
  .segment-tab > .column:first-child { flex: 0 0 304px !important; }
}
#examples, #examples .gallery-container, #examples .grid-wrap { height: auto !important; min-height: 0 !important; }
#examples .grid-container {
  grid-template-columns: repeat(3, minmax(0, 1fr)) !important; grid-auto-rows: auto !important; height: auto;
  padding-top: 2rem;
}
#pictures .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
#files .label-clear-button, footer .divider { display: none; }
#examples .thumbnail-item { aspect-ratio: 4 / 3; width: 100%; height: auto; }
#canvas {
  border: 1px solid var(--border-color-primary) !important;
  background: var(--block-background-fill) !important;
}
#model input { text-overflow: ellipsis; padding-right: 1.6rem; }
#status, #status .input-container { border: 0; background: transparent !important; }
#status textarea { background: transparent; border: 0; box-shadow: none; padding: 0; resize: none; }
.segment-status { align-items: center; }
.segment-status:not(:has(#stop)):has(textarea:placeholder-shown) { display: none; }
#stop { flex: 0 0 auto; min-width: 6rem; }
@media (max-width: 899px) { .segment-tab > .column:nth-child(2) { order: -1; } }
@media (max-width: 640px) { .gradio-container > .main { padding: 10px 10px !important; } }
"""
