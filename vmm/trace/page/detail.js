/* SPDX-License-Identifier: Apache-2.0 */
/* One switch in words and to scale: the way from the guest down to EL2, the kernel and userspace, and back by ERET. */

/* Its segments after the exit: [state, ns]. */
function splitOf(data, track, i) {
  const parts = [], k = track.placeOf(i);
  track.segments(k, (state, from, to) => from >= data.left[i] && parts.push([state, to - from]));
  return parts;
}

function splitText(data, track, i) {
  const parts = splitOf(data, track, i).map(([state, ns]) => `${STATES[state].name} ${formatTime(ns)}`);
  return [Number.isNaN(data.entered[i]) ? "guest" : `guest ${formatTime(data.left[i] - data.entered[i])}`, ...parts, "ERET"].join(" → ");
}

function showSplit(data, track, i) {
  const parts = splitOf(data, track, i), whole = parts.reduce((sum, [, ns]) => sum + ns, 0), before = data.left[i] - data.entered[i];
  const bar = element("div", { class: "split", "aria-hidden": "true" }, ...parts.map(([state, ns]) => {
    const part = element("span", { class: STATES[state].color.slice(2) });
    part.style.flexGrow = ns;
    return part;
  }));
  const runs = data.kernel ? "guest ran" : "in KVM_RUN";
  const step = (color, ...text) => element("li", {}, color ? element("i", { class: `swatch ${color.slice(2)}` }) : null, ...text);
  const list = element("ol", { class: "steps" }, step(STATES[data.kernel ? GUEST : RUN].color, `${runs} ${Number.isNaN(before) ? "(not recorded)" : formatTime(before)}`),
    ...parts.map(([state, ns]) => step(STATES[state].color, `${STATES[state].name} ${formatTime(ns)}`, element("span", { class: "soft" }, ` ${formatShare(ns, whole)}`))),
    step(null, Number.isNaN(data.returned[i]) ? "no return is recorded" : data.kernel ? "ERET: the guest runs again" : "KVM_RUN"));
  return [bar, list];
}

class Detail {
  constructor(data, trackOf) {
    Object.assign(this, { data, trackOf });
  }

  show(i) {
    const { data } = this, line = byId("line"), more = byId("more"), track = i >= 0 && this.trackOf.get(data.vcpu[i]);
    byId("zoom-focus").disabled = i < 0;
    if (!track) {
      line.textContent = "No switch is chosen: click on the timeline, or press n in it.";
      more.replaceChildren();
      return;
    }
    /* An arrow is not to be broken at the end of a line. */
    line.replaceChildren(...data.describe(i).split(/(->)/).map((part) => (part === "->" ? element("span", { class: "arrow" }, part) : part)));
    const cost = data.cost(i), facts = [["Class", data.className(i)], ["At", data.moment(data.left[i])], ["Cost", Number.isNaN(cost) ? "not known" : formatTime(cost)]];
    more.replaceChildren(
      element("dl", { class: "facts" }, facts.map(([key, value]) => element("div", {}, element("dt", {}, key), element("dd", {}, value)))), ...showSplit(data, track, i));
  }
}
