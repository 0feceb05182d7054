/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One vCPU's life as a sequence of segments: the guest, EL2 with the host's kernel, userspace, asleep. How long each had the vCPU between any two times is a
 * difference of two prefix sums, so that a pixel costs two searches however much of the recording it stands for.
 */

/* The states of a vCPU. RUN: within KVM_RUN, of which without KVM's events no more is known. */
const GUEST = 0, KERNEL = 1, USER = 2, WAIT = 3, RUN = 4, N_STATES = 5;
const STATES = [
  { name: "guest", color: "--guest" },
  { name: "EL2 and host kernel", color: "--kernel" },
  { name: "userspace (eret)", color: "--user" },
  { name: "asleep until an interrupt", color: "--wait" },
  { name: "KVM_RUN: guest, EL2, host kernel", color: "--run" },
];

class Track {
  constructor(data, vcpu, indices) {
    this.data = data;
    this.vcpu = vcpu;
    this.indices = indices; /* of its switches, in the order of time */
    this.count = indices.length;
    this.begin = new Float64Array(this.count); /* of the guest's part before the switch: the segments of switch k are in [begin[k], end[k]] */
    this.end = new Float64Array(this.count);
    this.sums = Array.from({ length: N_STATES }, () => new Float64Array(this.count + 1));
    this.matches = null; /* places of the switches of the chosen class */
    for (let k = 0, before = 0; k < this.count; k++) before = this.measure(k, before);
  }

  /* The limits and sums of switch K; nothing begins before BEFORE, whatever a recording says. */
  measure(k, before) {
    const i = this.indices[k], { entered, left, returned, userFrom, userTo } = this.data;
    const last = [returned[i], userTo[i], userFrom[i], left[i]].find((time) => !Number.isNaN(time));
    this.begin[k] = Math.max(before, Number.isNaN(entered[i]) ? left[i] : entered[i]);
    this.end[k] = Math.max(this.begin[k], last);
    for (const sum of this.sums) sum[k + 1] = sum[k];
    this.segments(k, (state, from, to) => {
      this.sums[state][k + 1] += to - from;
    });
    return this.end[k];
  }

  /*
   * Calls TAKE(state, from, to) for each segment of switch K in the order of time. When within the switch a vCPU slept is not recorded, only for how long:
   * it is shown in the middle of the kernel's longest part. So is kernel time between two visits to userspace: at the end of the first.
   */
  segments(k, take) {
    const i = this.indices[k], { left, userFrom, userTo, userNs, waited } = this.data;
    const from = this.begin[k], to = this.end[k], within = (time) => Math.min(Math.max(time, from), to);
    const exit = within(left[i]);
    const emit = (state, a, b) => b > a && take(state, a, b);
    const kernel = (a, b, asleep) => {
      const start = asleep > 0 ? a + (b - a - asleep) / 2 : b;
      emit(KERNEL, a, start);
      emit(WAIT, start, start + asleep);
      if (asleep > 0) emit(KERNEL, start + asleep, b);
    };

    emit(this.data.kernel ? GUEST : RUN, from, exit);
    if (Number.isNaN(userFrom[i])) {
      kernel(exit, to, Math.min(waited[i], to - exit));
      return;
    }
    const user = within(userFrom[i]), back = Number.isNaN(userTo[i]) ? user : within(userTo[i]);
    const userEnd = Math.min(back, user + userNs[i]);
    const sleepsFirst = user - exit > to - userEnd;
    kernel(exit, user, sleepsFirst ? Math.min(waited[i], user - exit) : 0);
    emit(USER, user, userEnd);
    kernel(userEnd, to, sleepsFirst ? 0 : Math.min(waited[i], to - userEnd));
  }

  /* The first switch that ends behind TIME. */
  firstAfter(time) {
    return firstIndex(0, this.count, (k) => this.end[k] > time);
  }

  /* Up to TIME, of each state; K is firstAfter(TIME). */
  sumsAt(time, k, out) {
    for (let state = 0; state < N_STATES; state++) out[state] = this.sums[state][k];
    if (k < this.count && this.begin[k] < time)
      this.segments(k, (state, from, to) => {
        if (from < time) out[state] += Math.min(to, time) - from;
      });
    return out;
  }

  /* ns of each state in [FROM, TO]. */
  times(from, to) {
    const before = this.sumsAt(from, this.firstAfter(from), new Float64Array(N_STATES));
    return this.sumsAt(to, this.firstAfter(to), new Float64Array(N_STATES)).map((sum, state) => sum - before[state]);
  }

  /* The place in LIST, some of the track's switches in their order, of the first that leaves the guest at TIME or later; not before START. */
  firstExit(list, time, start = 0) {
    const { left } = this.data;
    return firstIndex(start, list.length, (k) => left[list[k]] >= time);
  }

  /* Exits of the guest in [FROM, TO), as a range of places. */
  exits(from, to) {
    const first = this.firstExit(this.indices, from);
    return [first, this.firstExit(this.indices, to, first)];
  }

  /* The switch that TIME lies in, or before whose exit the guest ran at TIME; -1. */
  at(time) {
    const k = this.firstAfter(time);
    return k < this.count && this.begin[k] <= time ? this.indices[k] : -1;
  }

  placeOf(index) {
    return firstIndex(0, this.count, (k) => this.indices[k] >= index);
  }

  /* Once for a choice, not for a frame. */
  choose(chosen) {
    this.matches = chosen < 0 ? null : this.indices.filter((i) => this.data.class[i] === chosen);
  }

  static all(data) {
    const counts = new Uint32Array(data.directory.vcpus);
    for (const vcpu of data.vcpu) counts[vcpu]++;
    const lists = Array.from(counts, (n) => new Uint32Array(n));
    counts.fill(0);
    for (let i = 0; i < data.count; i++) lists[data.vcpu[i]][counts[data.vcpu[i]]++] = i;
    return lists.map((indices, vcpu) => new Track(data, vcpu, indices)).filter(({ count }) => count > 0);
  }
}
