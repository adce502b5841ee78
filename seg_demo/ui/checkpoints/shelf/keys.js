// Keys: arrows walk through the rows, Enter or the space bar chooses; one row at a time can be reached by Tab.

class Keys {
  /** on: {choose(key)} */
  constructor(list, on) {
    this.list = list;
    list.addEventListener("keydown", (event) => {
      const row = event.target.closest(".shelf-row");
      if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
      const rows = this.rows();
      const at = rows.indexOf(row);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to !== undefined) this.reach(rows[Math.max(0, Math.min(rows.length - 1, to))], true);
      else if ((event.key === "Enter" || event.key === " ") && event.target === row) on.choose(row.dataset.key);
      else return;
      event.preventDefault();
    });
    list.addEventListener("focusin", (event) => {
      const row = event.target.closest(".shelf-row");
      if (row) this.reach(row, false);
    });
  }

  rows() {
    return [...this.list.querySelectorAll(".shelf-row")];
  }

  /** The row that Tab leads to; focus: whether it has the focus at once. */
  reach(row, focus) {
    if (!row) return;
    for (const each of this.rows()) {
      each.tabIndex = each === row ? 0 : -1;
      const link = each.querySelector("a");
      if (link) link.tabIndex = each === row ? 0 : -1;
    }
    if (focus) row.focus();
  }
}
