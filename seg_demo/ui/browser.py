"""What the page asks of the visitor's browser, in JavaScript: where other components stand, downloads, the address."""

from __future__ import annotations

LAB = "document.querySelector('#lab .seg-lab')?.segLab"
STATE_OF_LAB = f"JSON.stringify({LAB}?.state() ?? null)"
# The picture that the Segment tab shows; none for the page that a link has opened, which shows its own.
SHOWN_IN_SEGMENT = "(document.querySelector('#canvas .seg-canvas')?.segCanvas?.state().index ?? 0)"
SHOWN_UNLESS_LINKED = f"new URLSearchParams(location.search).get('tab') === 'threshold' ? -1 : {SHOWN_IN_SEGMENT}"
REMEMBER = f"() => {LAB}?.remember()"

DOWNLOAD = """(file) => {
  if (!file) return;
  const link = Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name });
  document.body.append(link);
  link.click();
  link.remove();
}"""

COPY_LINK = f"""(() => {{
  const link = {LAB}?.link() ?? "";
  navigator.clipboard?.writeText(link).catch(() => {{}});
  return link;
}})()"""

# Not before the laboratory is there: a page that opens by a link shows the first tab for a moment.
FORGET_LINK = f"""() => {{
  const address = new URL(location.href);
  if (!{LAB} || address.searchParams.get("tab") !== "threshold") return;
  for (const name of [...address.searchParams.keys()]) if (!name.startsWith("__")) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}}"""


def replacing(inputs: int, **at: str) -> str:
    """A function for an event's `js` that hands its `inputs` values on, with some made in the browser.

    at: JavaScript by the position of the value, as _0, _1, ...

    >>> replacing(2, _0="location.href")
    '(a0, a1) => [location.href, a1]'
    """
    names = [f"a{index}" for index in range(inputs)]
    values = [at.get(f"_{index}", name) for index, name in enumerate(names)]
    return f"({', '.join(names)}) => [{', '.join(values)}]"
