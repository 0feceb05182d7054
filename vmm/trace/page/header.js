/* SPDX-License-Identifier: Apache-2.0 */
/* The head of the page: what was recorded, how much of it, and what is missing. */

const FACTS = [["guest-kernel", "Guest kernel"], ["kernel", "Host kernel"], ["cpus", "vCPUs"], ["memory", "Memory"], ["gic", "GIC"], ["page-size", "Host pages"],
  ["sandbox", "Sandbox"], ["eret", "eret"], ["command", "Command"]];
const LOSS_PLACES = ["in KVM's buffers", "in eret's buffer", "at the file's limit"]; /* TraceSource */

function showFacts(data) {
  const { facts } = data.directory, known = FACTS.filter(([key]) => facts[key]);
  byId("facts").append(...known.map(([key, label]) => element("div", { class: key === "command" ? "wide" : null }, element("dt", {}, label), element("dd", {}, facts[key]))));
  if (facts["guest-kernel"]) document.title = `${facts["guest-kernel"]} - eret trace`;
}

/* Where the vCPUs' time went, over the whole recording. */
function totalTimes(tracks) {
  return STATES.map((_, state) => tracks.reduce((sum, track) => sum + track.sums[state][track.count], 0));
}

function showTiles(data, tracks) {
  const times = totalTimes(tracks), all = times.reduce((a, b) => a + b, 0);
  const tile = (value, label, color) => element("div", { class: `tile ${color ?? ""}` }, element("strong", {}, value), element("span", {}, label));
  byId("tiles").append(tile(formatCount(data.directory.switches), data.directory.switches === 1 ? "world switch" : "world switches"), tile(formatTime(data.span), "recorded"),
    tile(formatCount(data.directory.records), "records"));
  const shown = STATES.map((state, k) => ({ ...state, ns: times[k] })).filter(({ ns }) => ns > 0);
  byId("tiles").append(...shown.map(({ name, color, ns }) => tile(formatShare(ns, all), name, `state ${color.slice(2)}`)));
  byId("legend").append(...shown.map(({ name, color }) => element("span", {}, element("i", { class: `swatch ${color.slice(2)}` }), name)));
  if (data.events.time.length)
    byId("legend").append(...[["device", "request"], ["bell", "doorbell"], ["irq", "interrupt"]].map(([color, name]) => element("span", {}, element("i", { class: `swatch ${color}` }), name)));
}

/* What a reader must know before believing the pictures. */
function notices(data) {
  const { directory } = data, said = [];
  if (!directory.kernel) {
    const events = directory.facts["kvm-events"], why = events && events !== "yes" ? events : "there are none in the file";
    said.push(`KVM's events are not recorded (${why}): a switch here is a return of KVM_RUN, and of the time within KVM_RUN it is not known what was the guest's and what the kernel's.`);
  }
  directory.lost.forEach((n, source) => n && said.push(`${plural(n, "record")} lost ${LOSS_PLACES[source]}. The timeline has a red line where a loss was noticed: what is missing was before it.`));
  if (directory.truncated) said.push("The file ends without its end mark: the recorder was killed, or the disk was full.");
  if (directory.switches > data.count) said.push(`Only the first ${formatCount(data.count)} of ${plural(directory.switches, "switch")} are on this page.`);
  if (directory.deviceEventsLeftOut) said.push(`${plural(directory.deviceEventsLeftOut, "event")} of devices are not on this page.`);
  if (directory.momentsLeftOut) said.push(`${formatCount(directory.momentsLeftOut)} phases, marks or losses are not on this page.`);
  if (directory.devices.length > ROWS_MAX.devices) said.push(`Only ${ROWS_MAX.devices} of ${directory.devices.length} devices have a row.`);
  if (data.count === 0) said.push("There is no world switch in this recording.");
  return said;
}

function showNotices(data) {
  byId("notices").append(...notices(data).map((text) => element("p", { class: "notice" }, text)));
}

/* As the system has it, or the other one. */
function listenToTheme(recolor) {
  const system = matchMedia("(prefers-color-scheme: dark)"), button = byId("theme"), root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
    recolor();
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
}
