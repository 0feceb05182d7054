/* SPDX-License-Identifier: Apache-2.0 */
/* The boot as a waterfall: each phase of eret and each mark of the guest with the time since the moment before it. */

function momentName({ kind, number, text }) {
  if (kind === KIND_MARK) return text ? `mark ${number}: ${text}` : `mark ${number}`;
  return text.replaceAll("-", " ").replace(/^kvm\b/, "KVM");
}

function showWaterfall(data, zoomTo) {
  const { moments } = data;
  if (moments.length === 0) {
    byId("waterfall-section").hidden = true;
    return;
  }
  const last = moments[moments.length - 1].time, span = Math.max(last - data.origin, 1), percent = (ns) => `${(100 * Math.max(0, ns)) / span}%`;
  byId("waterfall").append(...moments.map((moment, k) => {
    const from = k > 0 ? moments[k - 1].time : moment.time, step = moment.time - from;
    const bar = element("span", { class: moment.kind === KIND_MARK ? "bar mark" : "bar" }), name = momentName(moment);
    bar.style.marginLeft = `min(${percent(from - data.origin)}, 100% - 3px)`; /* 3: its least width */
    bar.style.width = percent(step);
    const show = element("button", { type: "button", title: "Show this in the timeline", click: () => zoomTo(from, Math.max(moment.time, from + SPAN_MIN)) }, name);
    return element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, show), element("td", { class: "number", role: "cell" }, formatTime(moment.time - data.origin)),
      element("td", { class: "number soft", role: "cell" }, k > 0 ? `+${formatTime(step)}` : ""), element("td", { class: "bars", "aria-hidden": "true" }, bar));
  }));
}
