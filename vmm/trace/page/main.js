/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the page together. window.eret is for tests, and for the curious at the console. */

async function main() {
  const data = await Data.load(), classes = countClasses(data);
  let detail = null, table = null;
  const timeline = new Timeline(data, (i) => detail.show(i));
  const histogram = new Histogram(classes);

  detail = new Detail(data, timeline.trackOf);
  table = new ClassTable(classes, (number) => {
    timeline.choose(number);
    histogram.choose(number);
  });
  showFacts(data);
  showNotices(data);
  showTiles(data, timeline.tracks);
  showWaterfall(data, (from, to) => {
    timeline.setView(from, to);
    byId("timeline").scrollIntoView({ block: "center" });
  });
  showDevices(data);
  detail.show(-1);
  byId("zoom-guest").hidden = timeline.guestFrom === 0;
  listenToTheme(() => timeline.recolor());
  window.eret = { data, timeline, table, histogram, classes, count: data.count, describe: (i) => data.describe(i) };
  document.body.classList.add("ready");
}

main().catch((error) => {
  byId("notices").append(element("p", { class: "notice" }, `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`));
  throw error;
});
