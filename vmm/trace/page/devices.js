/* SPDX-License-Identifier: Apache-2.0 */
/* What devices did over the whole recording, with the numbers of `eret trace --summary`: by queue, what else happened, and what others carried for them. */

const QUEUE_COLUMNS = [["Doorbells", formatCount], ["Interrupts", formatCount], ["Requests", formatCount], ["Failed", formatCount], ["Moved", formatSize]];

function queueRow([device, queue, ...numbers]) {
  const cells = QUEUE_COLUMNS.map(([label, format], k) => element("td", { class: "number", role: "cell", "data-label": label }, format(numbers[k])));
  return element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, `${device} queue ${queue}`), ...cells);
}

/* A packet is received and sent by the guest. */
function elsewhereText([device, server, counted, received, receivedBytes, sent, sentBytes]) {
  const numbers = `: received ${plural(received, "packet")} (${formatSize(receivedBytes)}), sent ${formatCount(sent)} (${formatSize(sentBytes)})`;
  return `${device}, served by ${server}${counted ? numbers : ", which does not tell"}`;
}

function deviceNotes({ queuesLeftOut, events, eventsLeftOut, elsewhere, elsewhereLeftOut }) {
  const more = (n, what) => (n ? [`and ${formatCount(n)} more ${what}`] : []);
  return [...more(queuesLeftOut, "queues"), ...events.map(([device, what, n]) => `${formatCount(n)} × ${device}: ${what}`), ...more(eventsLeftOut, "events"),
    ...elsewhere.map(elsewhereText), ...more(elsewhereLeftOut, "that others serve")];
}

function showDevices(data) {
  const table = data.directory.deviceTable, notes = deviceNotes(table);
  byId("devices-section").hidden = table.queues.length === 0 && notes.length === 0;
  byId("devices-table").hidden = table.queues.length === 0;
  byId("devices-head").append(element("th", { scope: "col", role: "columnheader" }, "Device"),
    ...QUEUE_COLUMNS.map(([label]) => element("th", { scope: "col", role: "columnheader", class: "number" }, label)));
  byId("devices").append(...table.queues.map(queueRow));
  byId("device-notes").append(...notes.map((text) => element("li", {}, text)));
}
