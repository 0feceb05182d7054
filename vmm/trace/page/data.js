/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recording, as vmm/trace/html.c wrote it: a directory (JSON) and columns (compressed bytes, over which typed arrays are laid). Times are ns from the
 * first record, in doubles: exact for a hundred days.
 */

const COLUMN_ARRAYS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array };
const KIND_PHASE = 68, KIND_MARK = 69; /* TraceKind; what else is a moment is a loss */

async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

class Data {
  constructor(directory, buffer) {
    this.directory = directory;
    this.buffer = buffer;
    this.classes = directory.classes;
    this.kernel = directory.kernel;
    this.readMoments();
    this.readSwitches();
    this.readDeviceEvents();
    this.span = Math.max(directory.span, 1);
  }

  static async load() {
    const text = (id) => byId(id).textContent;
    const data = new Data(JSON.parse(text("directory")), await inflate(text("columns")));
    byId("directory").remove();
    byId("columns").remove();
    return data;
  }

  /* A column as it is; of the widest, the numbers are of type bigint. */
  raw([offset, size], count) {
    return new COLUMN_ARRAYS[size](this.buffer, offset, count);
  }

  numbers([offset, size, count]) {
    const raw = this.raw([offset, size], count);
    return size === 8 ? Float64Array.from(raw, Number) : raw;
  }

  readMoments() {
    const all = this.directory.moments.map(([time, kind, number, text]) => ({ time, kind, number, text }));
    this.moments = all.filter(({ kind }) => kind === KIND_PHASE || kind === KIND_MARK);
    this.losses = all.filter(({ kind }) => kind !== KIND_PHASE && kind !== KIND_MARK);
    /* Time 0 of all that is shown: the start of the process where it is known. */
    const first = this.moments.find(({ kind }) => kind === KIND_PHASE);
    this.origin = first ? first.time : 0;
    /* Before it there is only our own start. */
    const entry = this.moments.find(({ kind, text }) => kind === KIND_PHASE && text === "first-instruction");
    this.guestFrom = entry ? Math.max(entry.time, 0) : 0;
  }

  readSwitches() {
    const columns = this.directory.switchColumns;
    const get = (name) => this.numbers(columns[name]);
    this.count = columns.left[2];
    this.vcpu = get("vcpu");
    this.class = get("class");
    this.template = get("line");
    this.userNs = get("userNs");
    this.waited = get("waited");
    const distance = get("left"), guest = get("guest"), toUser = get("leftToUser"), user = get("userFromTo"), cost = get("leftToReturned");
    /* NaN: not known. */
    const times = () => new Float64Array(this.count).fill(NaN);
    this.entered = times();
    this.left = times();
    this.userFrom = times();
    this.userTo = times();
    this.returned = times();
    this.row = new Uint32Array(this.count); /* in the columns of its template */
    const rows = new Uint32Array(this.directory.lines.length);
    for (let i = 0, now = 0; i < this.count; i++) {
      this.left[i] = now += distance[i];
      if (guest[i]) this.entered[i] = now - (guest[i] - 1);
      if (toUser[i]) this.userFrom[i] = now + (toUser[i] - 1);
      if (user[i]) this.userTo[i] = this.userFrom[i] + (user[i] - 1);
      if (cost[i]) this.returned[i] = now + (cost[i] - 1);
      this.row[i] = rows[this.template[i]]++;
    }
    this.rows = rows;
  }

  readDeviceEvents() {
    const columns = this.directory.deviceColumns;
    const get = (name) => this.numbers(columns[name]);
    const time = Float64Array.from(get("time"));
    for (let i = 1; i < time.length; i++) time[i] += time[i - 1];
    this.events = { time, device: get("device"), kind: get("kind"), detail: get("detail"), a: get("a"), b: get("b"), c: get("c") };
  }

  /* The line of switch I, as `eret trace --explain` has it; that one is plain ASCII. */
  describe(i) {
    const line = this.directory.lines[this.template[i]].map((part) => (typeof part === "string" ? part : this.number(part, i))).join("");
    return line.replace(/(\d) us$/, "$1 µs");
  }

  /* A number of a line: [2 * digits + hexadecimal, offset, size]. */
  number(part, i) {
    const [format, offset, size] = part;
    part.column ??= this.raw([offset, size], this.rows[this.template[i]]);
    const hex = format & 1, digits = part.column[this.row[i]].toString(hex ? 16 : 10).padStart(format >> 1, "0");
    return hex ? "0x" + digits : digits;
  }

  className(i) {
    return this.classes[this.class[i]];
  }

  /* ns from exit to ERET; NaN when it never returned. */
  cost(i) {
    return this.returned[i] - this.left[i];
  }

  /* A moment as people see it. */
  moment(time, step = 1) {
    return formatMoment(time - this.origin, step);
  }
}
