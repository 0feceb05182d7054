/* SPDX-License-Identifier: Apache-2.0 */
/* The table of classes: what kinds of switches there were and what they cost. Sorted by any column; choosing one marks its switches everywhere. */

const CLASS_ROWS_MAX = 2000;
const COLUMNS = [
  { key: "name", label: "Class", ascending: true },
  { key: "count", label: "Count", show: ({ count }) => formatCount(count) },
  { key: "total", label: "Total", show: ({ total }) => formatTime(total) },
  { key: "mean", label: "Mean", show: ({ costs, mean }) => (costs.length ? formatTime(mean) : "-") },
  { key: "median", label: "Median", show: ({ costs, median }) => (costs.length ? formatTime(median) : "-") },
  { key: "p99", label: "99 %", show: ({ costs, p99 }) => (costs.length ? formatTime(p99) : "-") },
  { key: "share", label: "Share", show: ({ total, all }) => formatShare(total, all) },
];

/* The smallest cost that PERCENT of 100 do not exceed. */
function percentile(sorted, percent) {
  return sorted.length ? sorted[Math.max(Math.ceil((sorted.length * percent) / 100), 1) - 1] : 0;
}

/* Of each class, the costs of its switches that returned, sorted, and what follows from them. The same numbers as `eret trace --summary`. */
function countClasses(data) {
  const counts = new Uint32Array(data.classes.length), known = new Uint32Array(data.classes.length);
  for (let i = 0; i < data.count; i++) {
    counts[data.class[i]]++;
    if (!Number.isNaN(data.cost(i))) known[data.class[i]]++;
  }
  const costs = Array.from(known, (n) => new Float64Array(n));
  known.fill(0);
  for (let i = 0; i < data.count; i++) if (!Number.isNaN(data.cost(i))) costs[data.class[i]][known[data.class[i]]++] = data.cost(i);
  const classes = data.classes.map((name, number) => {
    const sorted = costs[number].sort(), total = sorted.reduce((a, b) => a + b, 0);
    return { number, name, count: counts[number], costs: sorted, total, mean: total / sorted.length || 0, median: percentile(sorted, 50), p99: percentile(sorted, 99) };
  });
  const all = classes.reduce((sum, { total }) => sum + total, 0);
  for (const one of classes) Object.assign(one, { all, share: one.total });
  return classes;
}

class ClassTable {
  /* ON_CHOOSE(number) is told the chosen class, -1: none. */
  constructor(classes, onChoose) {
    Object.assign(this, { classes, onChoose, chosen: -1, sortedBy: "total", ascending: false });
    this.head = COLUMNS.map(({ key, label }) => element("th", { scope: "col", role: "columnheader", class: key === "name" ? null : "number" },
      element("button", { type: "button", click: () => this.sort(key) }, label, element("span", { class: "arrow", "aria-hidden": "true" }))));
    byId("classes-head").append(...this.head);
    this.rows = classes.map((one) => this.row(one));
    byId("clear-class").addEventListener("click", () => this.choose(-1));
    this.show();
  }

  row(one) {
    const button = element("button", { type: "button", class: "class", "aria-pressed": "false", click: () => this.choose(this.chosen === one.number ? -1 : one.number) }, one.name);
    const bar = element("span", { class: "share-bar", "aria-hidden": "true" }), row = element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, button));
    bar.style.width = `${one.all ? (100 * one.total) / one.all : 0}%`;
    row.append(...COLUMNS.slice(1).map(({ key, label, show }) => element("td", { class: "number", role: "cell", "data-label": label }, show(one), key === "share" ? bar : null)));
    return { one, row, button };
  }

  sort(key) {
    const column = COLUMNS.find((one) => one.key === key);
    this.ascending = this.sortedBy === key ? !this.ascending : Boolean(column.ascending);
    this.sortedBy = key;
    this.show();
  }

  show() {
    const { sortedBy: key, ascending } = this, sign = ascending ? 1 : -1;
    const order = (a, b) => (a.one[key] === b.one[key] ? b.one.total - a.one.total : (a.one[key] < b.one[key] ? -1 : 1) * sign);
    byId("classes").replaceChildren(...[...this.rows].sort(order).slice(0, CLASS_ROWS_MAX).map(({ row }) => row));
    this.head.forEach((cell, k) => {
      const is = COLUMNS[k].key === key;
      cell.setAttribute("aria-sort", is ? (ascending ? "ascending" : "descending") : "none");
      cell.querySelector(".arrow").textContent = is ? (ascending ? " ▲" : " ▼") : "";
    });
  }

  choose(number) {
    this.chosen = number;
    for (const { one, row, button } of this.rows) {
      row.classList.toggle("chosen", one.number === number);
      button.setAttribute("aria-pressed", String(one.number === number));
    }
    byId("clear-class").hidden = number < 0;
    this.onChoose(number);
  }
}
