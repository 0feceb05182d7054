/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws the timeline. The work for a frame grows with the width of the picture and the number of its rows, not with the length of the recording: far away a
 * pixel shows what share of its time each state had, near by each switch is drawn as a step down from the guest into the kernel and userspace, and up again.
 */

const SWITCH_PIXELS = 14; /* when switches are that far apart on average, they are drawn one by one */
const STACK = [USER, KERNEL, WAIT, RUN, GUEST]; /* from below */
const LANES = { [GUEST]: [0, 1], [RUN]: [0, 2], [KERNEL]: [1, 1], [WAIT]: [1, 1], [USER]: [2, 1] }; /* thirds of a row: from, how many */
const STRIP = 5; /* height of the strip that shows how often the guest was left */

/* The colours of page.css as they are now. */
function readColors() {
  const style = getComputedStyle(document.documentElement), get = (name) => style.getPropertyValue(name).trim();
  const colors = { states: STATES.map(({ color }) => get(color)), inks: STATES.map(({ color }) => get(`${color}-ink`)) };
  for (const name of ["ink", "soft", "grid", "row", "surface", "accent", "mark", "loss", "device", "focus"]) colors[name] = get(`--${name}`);
  return colors;
}

class Painter {
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.context = canvas.getContext("2d");
    this.colors = readColors();
  }

  /* Begins a frame of WIDTH x HEIGHT, of which the part right of GUTTER shows the time of VIEW. */
  begin(width, height, gutter, view) {
    const { canvas, context } = this, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    Object.assign(this, { width, height, gutter, view, scale: (width - gutter) / (view.to - view.from) });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
    context.textBaseline = "middle";
  }

  x(time) {
    return this.gutter + (time - this.view.from) * this.scale;
  }

  time(x) {
    return this.view.from + (x - this.gutter) / this.scale;
  }

  /* X limited to what is shown, so that a segment of hours does not become a rectangle of kilometres. */
  clampedX(time) {
    return Math.min(Math.max(this.x(time), this.gutter - 4), this.width + 4);
  }

  fill(color, x, y, width, height) {
    this.context.fillStyle = color;
    this.context.fillRect(x, y, width, height);
  }

  text(text, x, y, color, room = Infinity) {
    const { context } = this;
    let shown = text;
    for (let n = text.length; context.measureText(shown).width > room; n = Math.floor(n * 0.8)) {
      if (n < 3) return;
      shown = `${text.slice(0, n)}…`;
    }
    context.fillStyle = color;
    context.fillText(shown, x, y);
  }

  /* What DRAW draws stays right of the gutter. */
  clipped(y, height, draw) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(this.gutter, y, this.width - this.gutter, height);
    context.clip();
    draw();
    context.restore();
  }

  label(row, name, color) {
    this.text(name, 4, row.y + row.height / 2, color || this.colors.ink, this.gutter - 12);
  }

  /* The axis: round times, as many as there is room for. */
  step() {
    const rough = 120 / this.scale, power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((factor) => power * factor >= rough);
  }

  axis(row, bottom) {
    const { origin } = this.data, step = this.step();
    this.clipped(row.y, bottom - row.y, () => {
      const first = Math.ceil((this.view.from - origin) / step);
      for (let n = first; n * step + origin <= this.view.to; n++) {
        const x = Math.round(this.x(n * step + origin));
        this.fill(this.colors.grid, x, row.y, 1, bottom - row.y);
        this.text(formatMoment(n * step, step), x + 4, row.y + row.height / 2, this.colors.soft);
      }
    });
  }

  /* Phases and marks as flags at the top, losses as a line through everything. */
  moments(row, bottom) {
    const { context, colors } = this;
    const color = ({ kind }) => (kind === KIND_MARK ? colors.mark : colors.soft);
    const seen = this.data.moments.map((moment) => [moment, Math.round(this.x(moment.time))]).filter(([, x]) => x >= this.gutter && x <= this.width);
    let free = this.gutter;
    this.clipped(row.y, bottom - row.y, () => {
      for (const [moment, x] of seen) this.fill(color(moment), x, row.y + 3, 1, bottom - row.y);
      for (const [moment, x] of seen) {
        const name = momentName(moment), room = context.measureText(name).width;
        if (x + 4 < free) continue;
        this.fill(colors.surface, x + 1, row.y, room + 8, row.height);
        this.text(name, x + 5, row.y + row.height / 2, moment.kind === KIND_MARK ? colors.mark : colors.ink);
        free = x + room + 12;
      }
      for (const { time } of this.data.losses) this.fill(colors.loss, this.clampedX(time) - 1, row.y, 2, bottom - row.y);
    });
  }

  /* vCPUs. */

  /* The places of the switches that are to be seen, at least in part. */
  seen(track) {
    const first = track.firstAfter(this.view.from);
    return [first, firstIndex(first, track.count, (k) => track.begin[k] >= this.view.to)];
  }

  /* Is there room for each switch of all TRACKS? One answer for all: two pictures side by side in two languages are hard to read. */
  isNear(tracks) {
    const most = (this.width - this.gutter) / SWITCH_PIXELS;
    return tracks.every((track) => {
      const [first, last] = this.seen(track);
      return last - first <= most;
    });
  }

  track(row, track, near, focused) {
    const [first, last] = this.seen(track);
    this.fill(this.colors.row, this.gutter, row.y, this.width - this.gutter, row.height);
    if (row.height >= 12 || track.vcpu % 4 === 0) this.label(row, `vCPU ${track.vcpu}`);
    this.clipped(row.y - 2, row.height + 4, () => {
      if (!near) this.shares(row, track);
      else for (let k = first; k < last; k++) this.switchSteps(row, track, k);
      if (focused >= 0 && this.data.vcpu[focused] === track.vcpu) this.focus(row, track, track.placeOf(focused));
    });
  }

  /*
   * For each pixel, how its time divides, stacked. Neighbours that are all of one state become one rectangle. Below, how often the guest was left; of the
   * chosen class, if there is one.
   */
  shares(row, track) {
    const { context, colors } = this, height = row.height - (row.height > 3 * STRIP ? STRIP : 0);
    const paths = colors.states.map(() => new Path2D());
    let before = track.sumsAt(this.view.from, track.firstAfter(this.view.from), new Float64Array(N_STATES)), after = new Float64Array(N_STATES);
    let k = track.firstAfter(this.view.from), run = -1, runFrom = 0;
    const flush = (x) => {
      if (run >= 0) paths[run].rect(runFrom, row.y, x - runFrom, height);
      run = -1;
    };
    for (let x = this.gutter; x < this.width; x++) {
      const end = this.time(x + 1), whole = 1 / this.scale;
      k = firstIndex(k, track.count, (m) => track.end[m] > end);
      track.sumsAt(end, k, after);
      const only = STACK.find((state) => after[state] - before[state] > 0.9999 * whole) ?? -1;
      if (only < 0 || only !== run) flush(x);
      if (only >= 0 && run < 0) [run, runFrom] = [only, x];
      if (only < 0) {
        let y = row.y + height;
        for (const state of STACK) {
          const part = (height * (after[state] - before[state])) / whole;
          if (part <= 0) continue;
          paths[state].rect(x, y - part, 1, part);
          y -= part;
        }
      }
      [before, after] = [after, before];
    }
    flush(this.width);
    paths.forEach((path, state) => {
      context.fillStyle = colors.states[state];
      context.fill(path);
    });
    this.strip(row, track, row.height - height || 3);
  }

  strip(row, track, height) {
    const { context, colors } = this, y = row.y + row.height - height;
    const chosen = track.matches !== null, list = track.matches ?? track.indices, levels = 8;
    const paths = Array.from({ length: levels }, () => new Path2D());
    for (let x = this.gutter, first = track.firstExit(list, this.view.from); x < this.width; x++) {
      const last = track.firstExit(list, this.time(x + 1), first), n = last - first;
      if (n > 0) paths[Math.min(levels - 1, Math.floor(Math.log2(n)))].rect(x, y, 1, height);
      first = last;
    }
    this.fill(colors.surface, this.gutter, y, this.width - this.gutter, height);
    paths.forEach((path, level) => {
      context.globalAlpha = 0.3 + (0.7 * level) / (levels - 1);
      context.fillStyle = chosen ? colors.accent : colors.soft;
      context.fill(path);
    });
    context.globalAlpha = 1;
  }

  /* One switch near by: steps between three lanes. */
  switchSteps(row, track, k) {
    const { context, colors, data } = this, lane = row.height / 3;
    const i = track.indices[k], other = track.matches !== null && data.class[i] !== data.chosen;
    context.globalAlpha = other ? 0.25 : 1;
    track.segments(k, (state, from, to) => {
      const x = this.clampedX(from), width = Math.max(this.clampedX(to) - x, 1), [first, n] = LANES[state];
      this.fill(colors.states[state], x, row.y + first * lane, width, n * lane);
      const room = Math.min(x + width, this.width) - Math.max(x, this.gutter) - 10;
      if (lane >= 13 && room > 40) this.segmentText(Math.max(x, this.gutter) + 5, row.y + (first + n / 2) * lane, state, i, to - from, room);
    });
    this.arrows(row, i, lane);
    context.globalAlpha = 1;
  }

  segmentText(x, y, state, i, ns, room) {
    const text = state === KERNEL && room > 110 ? `${formatTime(ns)}  ${this.data.className(i)}` : formatTime(ns);
    this.text(text, x, y, this.colors.inks[state], room);
  }

  /* Where worlds change: down at the exit and the return of KVM_RUN, up at the next KVM_RUN and at ERET. */
  arrows(row, i, lane) {
    const { data } = this, { left, userFrom, userTo, returned } = data;
    if (this.scale * (returned[i] - left[i]) < 8 || lane < 8) return;
    if (data.kernel) {
      this.arrow(this.x(left[i]), row.y + lane * 0.5, row.y + lane * 1.25);
      this.arrow(this.x(returned[i]), row.y + lane * 1.5, row.y + lane * 0.75);
    }
    if (!(this.scale * (userTo[i] - userFrom[i]) >= 8)) return;
    const kernelLane = data.kernel ? 1.5 : 1;
    this.arrow(this.x(userFrom[i]), row.y + lane * kernelLane, row.y + lane * 2.25);
    this.arrow(this.x(userTo[i]), row.y + lane * 2.5, row.y + lane * 1.75);
  }

  arrow(x, from, to) {
    const { context } = this, head = to > from ? -5 : 5;
    if (Number.isNaN(x) || x < this.gutter - 10 || x > this.width + 10) return;
    context.fillStyle = context.strokeStyle = this.colors.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, from);
    context.lineTo(x, to + head / 2);
    context.stroke();
    context.beginPath();
    context.moveTo(x, to);
    context.lineTo(x - 3.5, to + head);
    context.lineTo(x + 3.5, to + head);
    context.fill();
  }

  focus(row, track, k) {
    const { context, colors } = this, i = track.indices[k];
    const from = this.clampedX(this.data.left[i]), to = Math.max(this.clampedX(track.end[k]), from + 2), middle = (from + to) / 2;
    context.strokeStyle = colors.focus;
    context.lineWidth = 2;
    context.strokeRect(from - 1, row.y, to - from + 2, row.height);
    context.fillStyle = colors.focus;
    context.beginPath();
    context.moveTo(middle, row.y + 5);
    context.lineTo(middle - 5, row.y - 2);
    context.lineTo(middle + 5, row.y - 2);
    context.fill();
  }

  /* Devices: requests in the middle as share of the time that any was under way; doorbells on top, interrupts at the bottom. */
  device(row, device) {
    const { colors } = this, third = row.height / 3;
    this.fill(colors.row, this.gutter, row.y, this.width - this.gutter, row.height);
    this.label(row, device.name);
    this.clipped(row.y, row.height, () => {
      for (let x = this.gutter, before = device.busyUntil(this.view.from); x < this.width; x++) {
        const after = device.busyUntil(this.time(x + 1)), share = Math.min(1, (after - before) * this.scale);
        if (share > 0) this.fill(colors.device, x, row.y + 2 * third - third * share, 1, third * share);
        before = after;
      }
      this.ticks(device, device.doorbells, row.y, third - 1, colors.accent);
      this.ticks(device, device.interrupts, row.y + 2 * third + 1, third - 1, colors.mark);
    });
  }

  ticks(device, list, y, height, color) {
    for (let x = this.gutter, first = device.firstAt(list, this.view.from); x < this.width; x++) {
      const last = device.firstAt(list, this.time(x + 1), first);
      if (last > first) this.fill(color, x, y, 1.5, height);
      first = last;
    }
  }

  /* Over all: what is being selected, and where the pointer is. */
  selection(from, to, bottom) {
    const { context, colors } = this, x = Math.min(from, to), width = Math.abs(to - from);
    context.globalAlpha = 0.2;
    this.fill(colors.accent, x, 0, width, bottom);
    context.globalAlpha = 1;
    this.fill(colors.accent, x, 0, 1, bottom);
    this.fill(colors.accent, x + width, 0, 1, bottom);
    this.text(formatTime(width / this.scale), x + 6, 10, colors.ink);
  }

  pointer(x, bottom) {
    if (x >= this.gutter) this.fill(this.colors.soft, Math.round(x), 0, 1, bottom);
  }
}
