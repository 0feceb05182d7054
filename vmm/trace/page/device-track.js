/* SPDX-License-Identifier: Apache-2.0 */
/* One device: its requests with their durations, the interrupts it raised, the doorbells the guest rang. */

const REQUEST = 0, INTERRUPT = 1, DOORBELL = 2; /* of html.c */

class DeviceTrack {
  constructor(data, device, indices) {
    const { time, kind } = data.events;
    this.data = data;
    this.name = data.directory.devices[device] || "(no name)";
    this.requests = indices.filter((i) => kind[i] === REQUEST); /* by their ends */
    this.interrupts = indices.filter((i) => kind[i] === INTERRUPT);
    this.doorbells = indices.filter((i) => kind[i] === DOORBELL);
    this.uniteRequests(time);
  }

  /* The times at which at least one request was under way, as disjoint spans with the sum of their lengths. */
  uniteRequests(time) {
    const spans = Array.from(this.requests, (i) => [this.began(i), time[i]]).sort(([a], [b]) => a - b);
    const from = [], to = [];
    for (const [begin, end] of spans) {
      if (to.length && begin <= to[to.length - 1]) to[to.length - 1] = Math.max(to[to.length - 1], end);
      else from.push(begin), to.push(end);
    }
    this.busyFrom = Float64Array.from(from);
    this.busyTo = Float64Array.from(to);
    this.busySum = new Float64Array(from.length + 1);
    for (let k = 0; k < from.length; k++) this.busySum[k + 1] = this.busySum[k] + (to[k] - from[k]);
  }

  began(i) {
    return Math.max(0, this.data.events.time[i] - this.data.events.a[i]);
  }

  busyUntil(time) {
    const k = firstIndex(0, this.busyTo.length, (m) => this.busyTo[m] > time);
    return this.busySum[k] + (k < this.busyFrom.length ? Math.max(0, time - this.busyFrom[k]) : 0);
  }

  /* ns of [FROM, TO] with a request under way. */
  busy(from, to) {
    return this.busyUntil(to) - this.busyUntil(from);
  }

  /* The place in LIST (requests, interrupts or doorbells) of the first at TIME or later; not before START. */
  firstAt(list, time, start = 0) {
    const times = this.data.events.time;
    return firstIndex(start, list.length, (k) => times[list[k]] >= time);
  }

  range(list, from, to) {
    const first = this.firstAt(list, from);
    return [first, this.firstAt(list, to, first)];
  }

  /* In the words of `eret trace --explain`. */
  describe(i) {
    const { kind, detail, a, b, c } = this.data.events;
    if (kind[i] === DOORBELL) return `doorbell: ${this.name} queue ${a[i]}${b[i] > 1 ? `, rung ${b[i]} times` : ""}`;
    if (kind[i] === INTERRUPT) return `interrupt: ${this.name} ${a[i] ? `raises SPI ${a[i]}` : `sends message ${b[i]}`}`;
    const outcome = c[i] ? `failed with status ${c[i]}` : "done";
    return `request: ${this.name} ${this.data.directory.details[detail[i]]} of ${b[i]} bytes ${outcome}, ${formatTime(a[i])}`;
  }

  static all(data) {
    const lists = data.directory.devices.map(() => []);
    data.events.device.forEach((device, i) => lists[device].push(i));
    return lists.map((indices, device) => new DeviceTrack(data, device, indices)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
