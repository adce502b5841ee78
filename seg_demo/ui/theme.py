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

# Text and icon colours of the Fine-tune tab's cards, on light and on dark ground; each also has a word and an icon.
CHECK_CSS = """
.finetune-tab, .status-row { --ft-error: #b91c1c; --ft-warning: #92400e; --ft-good: #047857; --ft-note: #475569; }
.dark .finetune-tab, .dark .status-row {
  --ft-error: #fca5a5; --ft-warning: #fcd34d; --ft-good: #6ee7b7; --ft-note: #cbd5e1;
}
.finetune-tab :is(.verdict, .card) {
  border: 1px solid var(--border-color-primary); border-left: 4px solid var(--tone, var(--border-color-primary));
  border-radius: var(--radius-md); background: var(--block-background-fill); color: var(--body-text-color);
  padding: 10px 14px; overflow-wrap: anywhere;
}
.finetune-tab .error { --tone: var(--ft-error); }
.finetune-tab .warning { --tone: var(--ft-warning); }
.finetune-tab .note { --tone: var(--ft-note); }
.finetune-tab .good { --tone: var(--ft-good); }
.finetune-tab .mark {
  display: inline-grid; place-items: center; flex: none; width: 1.4em; height: 1.4em; border-radius: 50%;
  border: 2px solid var(--tone); color: var(--tone); font-weight: 700; font-size: 0.85em; line-height: 1;
}
.verdict { display: flex; gap: 14px; align-items: flex-start; }
.verdict .mark { font-size: 1.25rem; margin-top: 2px; }
.verdict h2 { margin: 0; font-size: 1.15rem; color: var(--tone); }
.verdict p { margin: 2px 0 0; }
.verdict .file, .finetune-tab .quiet { color: var(--body-text-color-subdued); font-size: 0.9rem; }
.card + .card { margin-top: 8px; }
.card h3 { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; margin: 0 0 4px; font-size: 0.98rem; }
.card .severity { color: var(--tone); }
.card .count { border-radius: 1em; padding: 0 0.6em; background: var(--background-fill-secondary); font-size: 0.85em; }
.finetune-tab .fragment ul { margin: 0; padding-left: 1.1rem; list-style: disc; font-size: 0.92rem; }
.finetune-tab .fragment li { margin: 3px 0; }
.finetune-tab .fragment details { font-size: 0.9rem; margin-top: 2px; }
.finetune-tab .fragment summary { cursor: pointer; color: var(--body-text-color-subdued); }
.finetune-tab .fragment p { margin: 0; }
.card .repair { margin-top: 6px !important; font-size: 0.92rem; color: var(--ft-good); }
.finetune-tab .scroll { max-height: 320px; overflow: auto; border-radius: var(--radius-md); }
.finetune-tab table { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
.finetune-tab :is(th, td) {
  text-align: left; padding: 4px 8px; border-bottom: 1px solid var(--border-color-primary); overflow-wrap: anywhere;
}
.finetune-tab :is(th, td):is(:nth-child(3), :nth-child(4)) { text-align: right; white-space: nowrap; }
.swatch {
  display: inline-block; width: 1em; height: 1em; margin-right: 8px; border-radius: 3px; vertical-align: -2px;
  border: 1px solid var(--border-color-primary);
}
.finetune-tab td:first-child, .finetune-tab th { white-space: nowrap; }
.folder-picker button {
  width: 100%; padding: var(--button-small-padding); border-radius: var(--button-small-radius);
  font-size: var(--button-small-text-size);
  border: var(--button-border-width) solid var(--button-secondary-border-color);
  background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color);
}
.folder-picker button:hover { background: var(--button-secondary-background-fill-hover); }
.folder-picker p { margin: 4px 0 0; font-size: 0.9rem; color: var(--body-text-color-subdued); }
.folder-picker p:empty { display: none; }
#ft-results:not(:has(.verdict)), #ft-mended-box:not(:has(.mended)), #ft-repair-box:not(:has(input)),
#ft-findings:not(:has(.card)) { display: none; }
.status-row { position: sticky; top: 0; z-index: 20; align-items: center; background: var(--body-background-fill); }
.status-row:not(:has(.status)) { display: none; }
.status-row .status { margin: 0; }
.status-row .problem { color: var(--ft-error); }
.status-row .problem::before { content: "✕ "; font-weight: 700; }
/* Work underway floats over the page, and only where it takes a moment: nothing jumps for a quick prediction. */
.status-row:has(progress) {
  position: fixed; top: auto; bottom: 20px; left: 50%; transform: translateX(-50%); z-index: 60;
  width: min(560px, calc(100vw - 24px)); padding: 10px 16px; border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg); box-shadow: 0 8px 30px rgb(0 0 0 / .18); animation: appear .2s .3s both;
}
@media (prefers-reduced-motion: reduce) { .status-row:has(progress) { animation: none; } }
@keyframes appear { from { opacity: 0; visibility: hidden; } to { opacity: 1; visibility: visible; } }
:is(#ft-stop, #th-stop) { flex: 0 0 auto; min-width: 6rem; }
.finetune-tab .block:has(> .html-container), .finetune-tab .html-container { padding: 0; }
#ft-gallery, #ft-gallery .grid-wrap { height: auto !important; max-height: none !important; min-height: 0 !important; }
#ft-gallery .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)) !important; grid-auto-rows: auto !important;
  height: auto; padding-top: 2rem;
}
#ft-gallery .gallery-item, #ft-gallery .thumbnail-item { height: auto; width: 100%; aspect-ratio: auto; }
#ft-gallery .thumbnail-item img { aspect-ratio: 2; height: auto; }
#ft-gallery .caption-label {
  position: static; display: block; max-width: none; width: 100%; border: 0; padding: 3px 6px; text-align: left;
  font-size: 0.8rem; background: transparent;
}
"""

# The later steps of the Fine-tune tab: settings, a run, and what came of it.
RUN_CSS = """
.narrow { max-width: 980px; margin: 0 auto; }
.narrow .class { display: inline-flex; align-items: center; margin-right: 14px; }
.setting-row > .block, .setting-row :is(.form, .row) > .block {
  flex: 1 1 220px !important; min-width: 220px !important;
}
.setting-row .block label > span, .setting-row .block [data-testid="block-info"] { overflow-wrap: anywhere; }
.run-head { align-items: flex-end; }
.run-head > :is(.block, .form):first-child { flex: 0 1 340px !important; }
.run-head > .row { flex: 1 1 300px !important; }
.ft-buttons { flex: 1 1 auto; flex-wrap: wrap; gap: 10px; justify-content: flex-start; align-items: flex-end; }
.ft-buttons > button, #ft-longer-box > button { flex: 0 0 auto; width: auto; min-width: 8rem; }
#ft-longer-box { align-items: flex-end; gap: 10px; }
#ft-longer-box > :is(.form, .block) { flex: 0 0 9rem !important; min-width: 9rem !important; }
#ft-longer-box > button { min-height: 42px; }
#ft-to-start, #ft-start { align-self: flex-start; width: auto; min-width: 16rem; }
/* All steps are to be seen at once, on a phone too: what does not fit goes into a menu. */
@media (max-width: 560px) {
  :is(#ft-steps, #cp-parts) > .tab-wrapper button { padding: 0 4px; font-size: 0.8rem; }
  /* Gradio measures each of them; what is left of the width is theirs. */
  #tabs > .tab-wrapper button { padding: 0 2px; font-size: 0.72rem; }
  #tabs > .tab-wrapper > [role="tablist"] > button { flex: 1 1 auto; justify-content: center; text-align: center; }
}
.compared { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 7fr); gap: 18px 28px; margin-top: 14px; }
.finetune-tab .compared :is(th, td) { vertical-align: middle; font-weight: 400; }
.finetune-tab .compared thead th { font-weight: 600; color: var(--body-text-color-subdued); }
.finetune-tab .compared :is(th, td):not(:first-child, .bars) { text-align: right; white-space: nowrap; }
.finetune-tab .compared td:first-child, .finetune-tab .compared tbody th { white-space: normal; }
.finetune-tab .compared .classes th:nth-child(2) { text-align: left !important; }
.compared .bars { width: 45%; text-align: left !important; }
.compared progress {
  display: block; width: 100%; height: 8px; margin: 2px 0; border: 0; border-radius: 4px; overflow: hidden;
  appearance: none; background: var(--border-color-primary);
}
.compared progress::-webkit-progress-bar { background: var(--border-color-primary); }
.compared progress.before::-webkit-progress-value { background: var(--neutral-400); }
.compared progress.after::-webkit-progress-value { background: var(--primary-500); }
.compared progress.before::-moz-progress-bar { background: var(--neutral-400); }
.compared progress.after::-moz-progress-bar { background: var(--primary-500); }
@media (max-width: 760px) { .compared { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) { .compared .classes :is(.bars, th:nth-child(2)) { display: none; } }
"""

# The Checkpoints tab: what is known of one of them, forms, and a transfer that goes on.
CHECKPOINTS_CSS = """
.checkpoints-tab { --ft-error: #b91c1c; --ft-good: #047857; align-items: flex-start; gap: 22px; }
.dark .checkpoints-tab { --ft-error: #fca5a5; --ft-good: #6ee7b7; }
@media (min-width: 900px) {
  .checkpoints-tab { flex-wrap: nowrap !important; }
  /* What is chosen at the end of a long list is seen beside it. */
  .cp-chosen {
    position: sticky; top: 0; max-height: 100vh; overflow: hidden auto; flex-wrap: nowrap; scrollbar-width: thin;
    padding-bottom: 12px;
  }
  .cp-chosen > * { flex: none; }
}
.checkpoints-tab .block:has(> .html-container), .checkpoints-tab .html-container { padding: 0; }
.checkpoints-tab .cp-account { align-items: center; min-height: 0; }
.cp-account p { margin: 0; font-size: 0.9rem; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.cp-account:not(:has(p, button)) { display: none; }
#cp-login { flex: 0 0 auto; width: auto; }
.cp-buttons { flex-wrap: wrap; gap: 8px !important; }
.cp-buttons > button { flex: 0 0 auto; width: auto; min-width: 6.5rem; padding-inline: 14px; }
.cp-buttons:not(:has(button)), .cp-undo:not(:has(button)) { display: none; }
.cp-undo { justify-content: flex-start; }
.cp-undo > button { flex: 0 1 auto; width: auto; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.cp-line { align-items: flex-end; }
.cp-line > button { flex: 0 0 auto; width: auto; min-height: 42px; }
:is(#cp-pull, #cp-push, #cp-export, #cp-rename) { align-self: flex-start; width: auto; min-width: 10rem; }
#cp-file { display: none; }
.cp-nothing { padding: 40px 20px; text-align: center; color: var(--body-text-color-subdued); }
.cp-details {
  display: grid; grid-template-columns: minmax(0, 1fr); gap: 16px; overflow-wrap: anywhere;
  color: var(--body-text-color);
}
.cp-details :is(h2, h3, h4, h5, h6, p, dl, dd, ul, ol, pre, table) { margin: 0; }
.cp-details h2 { font-size: 1.15rem; font-weight: 650; }
.cp-details h3 { font-size: 0.95rem; font-weight: 600; padding-bottom: 6px; }
.cp-details .quiet { color: var(--body-text-color-subdued); font-size: 0.92rem; margin-top: 2px; }
.cp-details .cp-problem { color: var(--ft-error); }
.cp-details section, .cp-details > details { border-top: 1px solid var(--border-color-primary); padding-top: 12px; }
.cp-details dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 200px), 1fr)); gap: 6px 20px; }
.cp-details dl > div { min-width: 0; }
.cp-details dt { font-size: 0.8rem; color: var(--body-text-color-subdued); }
.cp-details dd { font-size: 0.92rem; }
.cp-details section > dl + .scroll, .cp-details details > dl + .scroll { margin-top: 10px; }
.cp-details :is(.cp-classes, .cp-files) { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
.cp-details :is(th, td) {
  text-align: left; font-weight: 400; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--border-color-primary);
}
.cp-details tr:last-child > :is(th, td) { border-bottom: 0; }
.cp-details :is(.cp-classes, .cp-files) td:last-child { text-align: right; white-space: nowrap; padding-right: 0; }
.cp-details .bars { width: 50%; }
:is(.cp-details, .status-row) progress {
  display: block; width: 100%; height: 8px; border: 0; border-radius: 4px; overflow: hidden; appearance: none;
  background: var(--border-color-primary);
}
:is(.cp-details, .status-row) progress::-webkit-progress-bar { background: var(--border-color-primary); }
:is(.cp-details, .status-row) progress::-webkit-progress-value { background: var(--primary-500); }
:is(.cp-details, .status-row) progress::-moz-progress-bar { background: var(--primary-500); }
.cp-details .scroll { max-height: 330px; overflow: auto; scrollbar-width: thin; }
.cp-details summary { cursor: pointer; font-size: 0.95rem; font-weight: 600; min-height: 28px; }
.cp-details details > :not(summary) { margin-top: 8px; }
.cp-card { display: grid; grid-template-columns: minmax(0, 1fr); gap: 9px; font-size: 0.92rem; line-height: 1.5; }
.cp-card :is(h3, h4, h5, h6) { font-size: 0.95rem; font-weight: 600; padding: 6px 0 0; }
.cp-card :is(ul, ol) { padding-left: 1.3rem; list-style: revert; }
.cp-card pre {
  padding: 8px 12px; border-radius: var(--radius-md); background: var(--background-fill-secondary); overflow: auto;
  font-size: 0.85rem;
}
.cp-card code { font-family: var(--font-mono); font-size: 0.9em; overflow-wrap: anywhere; }
.cp-card pre code { white-space: pre; overflow-wrap: normal; }
.cp-card table { border-collapse: collapse; font-size: 0.9rem; }
.cp-card thead th { font-weight: 600; }
.cp-details a, .status-row a { color: var(--link-text-color); text-decoration: underline; }
/* A transfer may take long: its line stays on top of the tab and does not float over the rest. */
.status-row:has(#cp-transfer-status progress) {
  position: sticky; top: 0; bottom: auto; left: auto; transform: none; width: 100%; box-shadow: none; animation: none;
  border-color: var(--primary-500);
}
.status-row:has(#cp-transfer-status) .status { overflow-wrap: anywhere; }
:is(#cp-stop, #cp-transfer-stop) { flex: 0 0 auto; min-width: 6rem; }
@media (max-width: 899px) {
  .cp-buttons > button { flex: 1 1 40%; min-height: 44px; }
}
"""

CSS = (
    CHECK_CSS
    + RUN_CSS
    + CHECKPOINTS_CSS
    + """
.gradio-container { width: 100%; max-width: 1680px !important; margin: 0 auto !important; }
.gradio-container > .main { width: 100%; max-width: none !important; padding: 14px 24px !important; }
.page-head h1 { margin: 0; font-size: 1.3rem; letter-spacing: -0.01em; }
.page-head p { margin: 0.1rem 0 0; color: var(--body-text-color-subdued); }
@media (min-width: 900px) {
  :is(.segment-tab, .threshold-tab, .finetune-tab) { flex-wrap: nowrap !important; }
  :is(.segment-tab, .threshold-tab, .finetune-tab) > .column:first-child { flex: 0 0 304px !important; }
}
.examples, .examples .gallery-container, .examples .grid-wrap { height: auto !important; min-height: 0 !important; }
.examples .grid-container {
  grid-template-columns: repeat(3, minmax(0, 1fr)) !important; grid-auto-rows: auto !important; height: auto;
  padding-top: 2rem;
}
#pictures .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
#files .label-clear-button, #th-file .label-clear-button, footer .divider { display: none; }
.examples .thumbnail-item { aspect-ratio: 4 / 3; width: 100%; height: auto; }
:is(#canvas, #lab) {
  border: 1px solid var(--border-color-primary) !important;
  background: var(--block-background-fill) !important;
}
.save-row { gap: 8px !important; }
.save-row button { flex: 1 1 132px !important; min-width: 0 !important; }
#th-file:not(:has(a)) { display: none; }
#th-file { border: 0; }
:is(#model, #th-model, #th-class) input { text-overflow: ellipsis; padding-right: 1.6rem; }
#status, #status .input-container { border: 0; background: transparent !important; }
#status textarea { background: transparent; border: 0; box-shadow: none; padding: 0; resize: none; }
.segment-status { align-items: center; }
.segment-status:not(:has(#stop)):has(textarea:placeholder-shown) { display: none; }
#stop { flex: 0 0 auto; min-width: 6rem; }
@media (max-width: 899px) { :is(.segment-tab, .threshold-tab) > .column:nth-child(2) { order: -1; } }
@media (max-width: 640px) { .gradio-container > .main { padding: 10px 10px !important; } }
"""
)
