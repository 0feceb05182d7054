/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline: what part of the recording is shown, what the reader does to it with pointer, wheel and keys, and when it is drawn. Painter knows how.
 */

const SPAN_MIN = 100; /* ns: shorter than any switch */
const ROWS_MAX = { vcpus: 512, devices: 32 };
const NARROW = 640;
const LEAD = 0.01; /* what is shown before the guest's first instruction, as part of what follows */

class Timeline {
  /* ON_FOCUS(i) is told which switch has the focus, -1: none. */
  constructor(data, onFocus) {
    this.data = data;
    this.onFocus = onFocus;
    this.tracks = Track.all(data).slice(0, ROWS_MAX.vcpus);
    this.trackOf = new Map(this.tracks.map((track) => [track.vcpu, track]));
    this.devices = DeviceTrack.all(data).slice(0, ROWS_MAX.devices);
    this.guestFrom = Math.max(0, data.guestFrom - LEAD * (data.span - data.guestFrom));
    this.view = { from: this.guestFrom, to: data.span };
    this.focused = -1;
    this.pointerAt = null;
    this.drag = null;
    data.chosen = -1;
    this.canvas = byId("timeline");
    this.overview = byId("overview");
    this.tip = byId("tip");
    this.painter = new Painter(this.canvas, data);
    this.overviewPainter = new Painter(this.overview, data);
    this.listen();
    this.resize();
  }

  /* The view. */

  setView(from, to) {
    const span = Math.min(Math.max(to - from, SPAN_MIN), this.data.span);
    const middle = (from + to) / 2;
    const begin = Math.min(Math.max(to - from === span ? from : middle - span / 2, 0), this.data.span - span);
    this.view = { from: begin, to: begin + span };
    this.draw();
  }

  showAll() {
    this.setView(0, this.data.span);
  }

  /* As the page opens: from the guest's first instruction on, where it is known. */
  showGuest() {
    this.setView(this.guestFrom, this.data.span);
  }

  /* FACTOR below 1 shows less. The time at AT stays where it is. */
  zoom(factor, at = this.anchor()) {
    const { from, to } = this.view;
    const span = Math.min(Math.max((to - from) * factor, SPAN_MIN), this.data.span), part = (at - from) / (to - from);
    this.setView(at - part * span, at + (1 - part) * span);
  }

  pan(part) {
    const shift = (this.view.to - this.view.from) * part;
    this.setView(this.view.from + shift, this.view.to + shift);
  }

  /* What keys and buttons zoom at: the focused switch where it is to be seen, else the middle. */
  anchor() {
    const { from, to } = this.view, left = this.focused >= 0 ? this.data.left[this.focused] : NaN;
    return left >= from && left <= to ? left : (from + to) / 2;
  }

  /* The focus. */

  focus(i) {
    this.focused = i;
    if (i >= 0) {
      const { from, to } = this.view, left = this.data.left[i], span = to - from;
      if (!(left >= from + 0.005 * span && left <= to - 0.005 * span)) this.setView(left - span / 2, left + span / 2);
    }
    this.onFocus(i);
    this.draw();
  }

  /* So near that the switch fills a good part of the picture. */
  zoomToFocus() {
    const track = this.focused >= 0 && this.trackOf.get(this.data.vcpu[this.focused]);
    if (!track) return;
    const end = track.end[track.placeOf(this.focused)], left = this.data.left[this.focused], span = Math.max(end - left, SPAN_MIN);
    this.setView(left - span, left + 2 * span);
  }

  /* To the next (1) or the one before (-1) on the same vCPU, of the chosen class if there is one. */
  stepFocus(direction) {
    const track = this.trackOf.get(this.focused >= 0 ? this.data.vcpu[this.focused] : this.tracks[0]?.vcpu);
    if (!track) return;
    const list = track.matches ?? track.indices;
    const isBehind = this.focused >= 0 ? (k) => list[k] > this.focused - (direction < 0) : (k) => this.data.left[list[k]] >= this.view.from;
    const behind = firstIndex(0, list.length, isBehind), k = direction > 0 ? behind : behind - 1;
    if (k >= 0 && k < list.length) this.focus(list[k]);
  }

  /* To the same time on the next vCPU that has switches. */
  stepVcpu(direction) {
    const now = this.focused >= 0 ? this.data.left[this.focused] : this.view.from;
    const place = this.focused >= 0 ? this.tracks.findIndex(({ vcpu }) => vcpu === this.data.vcpu[this.focused]) : -direction;
    const track = this.tracks[Math.min(Math.max(place + direction, 0), this.tracks.length - 1)];
    if (track) this.focus(track.indices[Math.min(track.exits(now, now)[0], track.count - 1)]);
  }

  choose(chosen) {
    this.data.chosen = chosen;
    for (const track of this.tracks) track.choose(chosen);
    this.draw();
  }

  /* Drawing. */

  recolor() {
    this.painter.colors = this.overviewPainter.colors = readColors();
    this.overviewImage = null;
    this.draw();
  }

  /* Rows from top to bottom; their heights depend on how many there are. */
  layOut() {
    const heights = (n, steps) => steps.find(([most]) => n <= most)[1];
    const vcpu = heights(this.tracks.length, [[2, 72], [4, 57], [8, 42], [16, 27], [128, 14], [Infinity, 6]]);
    const device = heights(this.devices.length, [[8, 27], [Infinity, 18]]), gap = vcpu > 6 ? 8 : 1;
    let y = 0;
    const row = (height, space) => {
      const made = { y, height };
      y += height + space;
      return made;
    };
    this.momentRow = row(20, 0);
    this.axisRow = row(22, 6);
    this.rows = this.tracks.map((track) => ({ ...row(vcpu, gap), track }));
    this.rows.push(...this.devices.map((device_) => ({ ...row(device, 4), device: device_ })));
    this.height = y;
  }

  resize() {
    this.width = this.canvas.parentElement.clientWidth;
    this.gutter = this.width < NARROW ? 64 : 140;
    this.overviewImage = null;
    this.layOut();
    this.draw();
  }

  /* What has no width yet has no picture either: the observer draws when it has. */
  draw() {
    if (this.frame || !this.width) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
      this.paintOverview();
      const { from, to } = this.view;
      byId("range").textContent = `${this.data.moment(from, (to - from) / 100)} to ${this.data.moment(to, (to - from) / 100)} (${formatTime(to - from)})`;
    });
  }

  paint() {
    const { painter } = this;
    painter.begin(this.width, this.height, this.gutter, this.view);
    painter.axis(this.axisRow, this.height);
    const near = painter.isNear(this.tracks);
    for (const row of this.rows) row.track ? painter.track(row, row.track, near, this.focused) : painter.device(row, row.device);
    painter.moments(this.momentRow, this.height);
    if (this.drag?.selects) painter.selection(this.drag.x, this.drag.now, this.height);
    else if (this.pointerAt) painter.pointer(this.pointerAt.x, this.height);
  }

  /* The whole recording, drawn once, and over it what part is shown. */
  paintOverview() {
    const { overviewPainter: painter, overview } = this, height = 30, all = { from: 0, to: this.data.span };
    if (!this.overviewImage) {
      painter.begin(this.width, height, this.gutter, all);
      const n = Math.min(this.tracks.length, 16), lane = height / Math.max(n, 1);
      this.tracks.slice(0, n).forEach((track, k) => painter.shares({ y: k * lane, height: lane }, track));
      painter.text("all", 4, height / 2, painter.colors.soft);
      this.overviewImage = document.createElement("canvas");
      Object.assign(this.overviewImage, { width: overview.width, height: overview.height });
      this.overviewImage.getContext("2d").drawImage(overview, 0, 0);
    }
    painter.begin(this.width, height, this.gutter, all);
    painter.context.drawImage(this.overviewImage, 0, 0, this.width, height);
    const from = painter.x(this.view.from), to = Math.max(painter.x(this.view.to), from + 2);
    painter.context.globalAlpha = 0.7;
    painter.fill(painter.colors.surface, this.gutter, 0, from - this.gutter, height);
    painter.fill(painter.colors.surface, to, 0, this.width - to, height);
    painter.context.globalAlpha = 1;
    painter.context.strokeStyle = painter.colors.focus;
    painter.context.lineWidth = 2;
    painter.context.strokeRect(from, 1, to - from, height - 2);
  }

  /* The reader. */

  listen() {
    const { canvas, overview } = this;
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerup", (event) => this.onUp(event));
    canvas.addEventListener("pointercancel", () => this.endDrag());
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("dblclick", () => this.zoomToFocus());
    const center = (event) => {
      if (!event.buttons) return;
      const at = this.overviewPainter.time(event.offsetX), half = (this.view.to - this.view.from) / 2;
      this.setView(at - half, at + half);
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      center(event);
    });
    overview.addEventListener("pointermove", center);
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    const buttons = {
      "zoom-in": () => this.zoom(0.5), "zoom-out": () => this.zoom(2), "zoom-all": () => this.showAll(), "zoom-guest": () => this.showGuest(), "pan-left": () => this.pan(-0.25),
      "pan-right": () => this.pan(0.25), previous: () => this.stepFocus(-1), next: () => this.stepFocus(1), "zoom-focus": () => this.zoomToFocus(),
    };
    for (const [id, action] of Object.entries(buttons)) byId(id).addEventListener("click", action);
  }

  onWheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1, sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) this.pan((sideways * lines) / this.width);
    else this.zoom(2 ** ((event.deltaY * lines) / 300), this.painter.time(Math.max(event.offsetX, this.gutter)));
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const far = event.shiftKey ? 1 : 0.2;
    const actions = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), _: () => this.zoom(2), ArrowLeft: () => this.pan(-far),
      ArrowRight: () => this.pan(far), ArrowUp: () => this.stepVcpu(-1), ArrowDown: () => this.stepVcpu(1), Home: () => this.showAll(), "0": () => this.showAll(), g: () => this.showGuest(),
      n: () => this.stepFocus(1), p: () => this.stepFocus(-1), Enter: () => this.zoomToFocus(), Escape: () => this.escape(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  escape() {
    if (this.drag) this.endDrag();
    else this.focus(-1);
  }

  onDown(event) {
    if (event.button > 1 || event.offsetX < this.gutter) return;
    const pans = event.shiftKey || event.button === 1 || event.pointerType === "touch";
    this.drag = { x: event.offsetX, now: event.offsetX, pans, moved: false, selects: false, view: this.view };
    this.canvas.setPointerCapture(event.pointerId);
  }

  onMove(event) {
    const { drag } = this;
    this.pointerAt = { x: event.offsetX, y: event.offsetY };
    if (!drag) {
      this.showTip();
      this.draw();
      return;
    }
    drag.now = Math.min(Math.max(event.offsetX, this.gutter), this.width);
    drag.moved = drag.moved || Math.abs(drag.now - drag.x) > 4;
    drag.selects = drag.moved && !drag.pans;
    this.tip.hidden = true;
    if (drag.moved && drag.pans) {
      const shift = (drag.x - drag.now) / this.painter.scale;
      this.setView(drag.view.from + shift, drag.view.to + shift);
    }
    this.draw();
  }

  onUp(event) {
    const { drag } = this;
    this.endDrag();
    if (drag?.selects) this.setView(this.painter.time(Math.min(drag.x, drag.now)), this.painter.time(Math.max(drag.x, drag.now)));
    else if (drag && !drag.moved) {
      const { costliest } = this.under(event.offsetX, event.offsetY);
      if (costliest >= 0) this.focus(costliest);
    }
  }

  endDrag() {
    this.drag = null;
    this.draw();
  }

  leave() {
    this.pointerAt = null;
    this.tip.hidden = true;
    this.draw();
  }

  /* What is at a place of the picture: the row, the times of two pixels around it, the switches that leave the guest there, and the costliest of them. */
  under(x, y) {
    const row = this.rows.find((one) => y >= one.y - 2 && y < one.y + one.height + 4);
    const from = this.painter.time(x - 1), to = this.painter.time(x + 1), { track } = row ?? {};
    if (!track || x < this.gutter) return { row, from, to, n: 0, costliest: -1 };
    const [first, last] = track.exits(from, to), looked = Math.min(last, first + 1000);
    let costliest = track.at(this.painter.time(x));
    for (let k = first, most = -1; k < looked; k++) {
      const cost = this.data.cost(track.indices[k]) || 0;
      if (cost > most) [costliest, most] = [track.indices[k], cost];
    }
    return { row, from, to, n: last - first, costliest };
  }

  showTip() {
    const { x, y } = this.pointerAt, found = this.under(x, y), { row, from, to } = found;
    const lines = !row || x < this.gutter ? [] : row.track ? this.trackTip(row.track, found) : this.deviceTip(row.device, from, to);
    this.tip.hidden = lines.length === 0;
    if (this.tip.hidden) return;
    this.tip.replaceChildren(...lines.map((line, k) => element("div", { class: k ? "soft" : null }, line)));
    const room = this.width - this.tip.offsetWidth - 4;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, room))}px`;
    this.tip.style.top = `${this.canvas.offsetTop + y + 18}px`;
  }

  trackTip(track, { from, to, n, costliest }) {
    const { data } = this, when = `at ${data.moment((from + to) / 2, (to - from) / 2)}`;
    if (n > 1) {
      const times = track.times(from, to), shares = STATES.map(({ name }, state) => [times[state], `${formatShare(times[state], to - from)} ${name}`]);
      const parts = shares.filter(([ns]) => ns > 0).map(([, text]) => text);
      return [`${plural(n, "switch")} in ${formatTime(to - from)} here: ${parts.join(", ")}`, when, `Costliest: ${data.describe(costliest)}`];
    }
    if (costliest < 0) return [`vCPU ${track.vcpu}: nothing is recorded`, when];
    return [data.describe(costliest), `${data.className(costliest)}, ${when}`, splitText(data, track, costliest)];
  }

  deviceTip(device, from, to) {
    const counts = [["request", device.requests], ["interrupt", device.interrupts], ["doorbell", device.doorbells]];
    const here = counts.map(([noun, list]) => [noun, list, device.range(list, from - (to - from), to + (to - from))]);
    const n = here.reduce((sum, [, , [first, last]]) => sum + last - first, 0);
    const texts = here.filter(([, , [first, last]]) => last > first);
    if (n === 0) return [`${device.name}: ${device.busy(from, to) > 0 ? "a request is under way" : "nothing"}`, `at ${this.data.moment((from + to) / 2, (to - from) / 2)}`];
    if (n <= 4) return texts.flatMap(([, list, [first, last]]) => Array.from(list.slice(first, last), (i) => device.describe(i)));
    return [`${device.name}: ${texts.map(([noun, , [first, last]]) => plural(last - first, noun)).join(", ")} here`];
  }
}
