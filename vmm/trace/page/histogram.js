/* SPDX-License-Identifier: Apache-2.0 */
/* How the costs of switches are distributed, on a logarithmic axis: eight buckets to each power of ten. */

const BUCKETS_PER_DECADE = 8;
const PICTURE = { width: 560, height: 250, left: 48, right: 12, top: 12, bottom: 28 };

const bucketOf = (ns) => Math.floor(Math.log10(Math.max(ns, 1)) * BUCKETS_PER_DECADE + 1e-9);
const bucketFrom = (bucket) => 10 ** (bucket / BUCKETS_PER_DECADE);

class Histogram {
  constructor(classes) {
    this.classes = classes;
    this.counts = classes.map(({ costs }) => this.count([costs]));
    this.all = this.count(classes.map(({ costs }) => costs));
    const buckets = [...this.all.keys()];
    this.first = Math.floor(Math.min(...buckets, Infinity) / BUCKETS_PER_DECADE) * BUCKETS_PER_DECADE;
    this.last = Math.ceil((Math.max(...buckets, -Infinity) + 1) / BUCKETS_PER_DECADE) * BUCKETS_PER_DECADE;
    this.choose(-1);
  }

  count(lists) {
    const counts = new Map();
    for (const costs of lists) for (const ns of costs) counts.set(bucketOf(ns), (counts.get(bucketOf(ns)) ?? 0) + 1);
    return counts;
  }

  x(bucket) {
    return PICTURE.left + ((PICTURE.width - PICTURE.left - PICTURE.right) * (bucket - this.first)) / (this.last - this.first);
  }

  bars(counts, name, titled) {
    const most = Math.max(...counts.values(), 1), room = PICTURE.height - PICTURE.top - PICTURE.bottom, width = this.x(1) - this.x(0);
    return [...counts].map(([bucket, n]) => {
      const height = Math.max((room * n) / most, 1);
      const title = `${formatTime(bucketFrom(bucket))} to ${formatTime(bucketFrom(bucket + 1))}: ${plural(n, "switch")}`;
      const shape = { x: this.x(bucket) + 0.5, y: PICTURE.height - PICTURE.bottom - height, width: Math.max(width - 1, 1), height, class: name };
      return element("rect", shape, titled ? element("title", {}, title) : null);
    });
  }

  axes(most) {
    const bottom = PICTURE.height - PICTURE.bottom, made = [element("line", { x1: PICTURE.left, x2: PICTURE.width - PICTURE.right, y1: bottom, y2: bottom, class: "axis" })];
    for (let bucket = this.first; bucket <= this.last; bucket += BUCKETS_PER_DECADE) {
      const anchor = bucket === this.last ? "end" : "middle";
      made.push(element("line", { x1: this.x(bucket), x2: this.x(bucket), y1: PICTURE.top, y2: bottom + 4, class: "grid" }));
      made.push(element("text", { x: this.x(bucket), y: bottom + 18, "text-anchor": anchor }, formatTime(bucketFrom(bucket)).replace(".00", "").replace(".0", "")));
    }
    for (const part of [0.5, 1]) {
      const y = bottom - (bottom - PICTURE.top) * part;
      made.push(element("line", { x1: PICTURE.left, x2: PICTURE.width - PICTURE.right, y1: y, y2: y, class: "grid" }));
      made.push(element("text", { x: PICTURE.left - 6, y: y + 4, "text-anchor": "end" }, most * part >= 1 ? formatCount(most * part) : ""));
    }
    return made;
  }

  choose(number) {
    const chosen = number >= 0, counts = chosen ? this.counts[number] : this.all, costs = chosen ? this.classes[number] : null;
    const name = chosen ? costs.name : "all classes", n = [...counts.values()].reduce((a, b) => a + b, 0);
    byId("histogram-of").textContent = chosen ? `${name} (behind it, on a scale of its own: all classes)` : name;
    if (this.all.size === 0) return;
    const said = chosen ? `, median ${formatTime(costs.median)}, 99 % up to ${formatTime(costs.p99)}` : "";
    const label = `Histogram of the cost of ${plural(n, "switch")} of ${name}${said}`;
    byId("histogram").replaceChildren(element("svg", { viewBox: `0 0 ${PICTURE.width} ${PICTURE.height}`, role: "img", "aria-label": label },
      ...this.axes(Math.max(...counts.values(), 1)), ...(chosen ? this.bars(this.all, "behind", false) : []), ...this.bars(counts, "bucket", true)));
  }
}
