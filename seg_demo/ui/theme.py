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
.gradio-container { max-width: 1360px !important; margin: 0 auto !important; }
.page-head h1 { margin: 0; font-size: 1.35rem; letter-spacing: -0.01em; }
.page-head p { margin: 0.15rem 0 0; color: var(--body-text-color-subdued); }
#status textarea { background: transparent; border: 0; box-shadow: none; padding-inline: 0; resize: none; }
.segment-status { align-items: center; }
#stop { flex: 0 0 auto; min-width: 6rem; }
@media (max-width: 640px) { .segment-tab > :nth-child(2) { order: -1; } }
"""
