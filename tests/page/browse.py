# SPDX-License-Identifier: Apache-2.0
"""Drives the pages of `eret trace --html` in headless Chromium and prints TAP. tests/board/trace-page.sh runs it.

Usage: browse.py PAGES PICTURES
    PAGES     directory of NAME.html and NAME.lines, as test-html.c writes them
    PICTURES  directory for screenshots
"""
import base64
import os
import pathlib
import re
import shutil
import sys
import traceback

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60  # seconds until a page counts as broken
WIDTH, HEIGHT = 1400, 1500
OPERATIONS_A_PIXEL = 8  # draw operations for each pixel of width of a row: a rectangle a state, and the strip


def start_browser():
    options = Options()
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(argument)
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)


class Page:
    """One page in the browser, with what the tests ask of it."""

    def __init__(self, driver, directory, pictures, name):
        self.driver, self.pictures, self.name = driver, pictures, name
        lines = (directory / f"{name}.lines").read_text(encoding="utf-8").splitlines()
        self.lines = [re.sub(r"(\d) us$", "\\1 µs", line) for line in lines]  # `eret trace --explain` speaks ASCII
        driver.get_log("browser")
        driver.get((directory / f"{name}.html").as_uri())
        WebDriverWait(driver, PATIENCE).until(lambda _: self.run("return document.body.classList.contains('ready')"))

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def frame(self):
        """Until what was asked for is drawn."""
        self.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));")

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector):
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.frame()

    @property
    def canvas(self):
        canvas = self.find("#timeline")
        self.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
        return canvas

    @property
    def actions(self):
        return ActionChains(self.driver, duration=20)

    def keys(self, *keys):
        self.canvas.send_keys(*keys)
        self.frame()

    def view(self):
        view = self.run("return eret.timeline.view")
        return view["from"], view["to"]

    def span(self):
        begin, end = self.view()
        return end - begin

    def set_view(self, begin, end):
        self.run("eret.timeline.setView(arguments[0], arguments[1])", begin, end)
        self.frame()

    def place(self, part):
        """An offset from the middle of the canvas: at PART of the picture's width, in the first row."""
        canvas = self.canvas
        gutter, y = self.run("return [eret.timeline.gutter, eret.timeline.rows[0].y + 4]")
        x = gutter + (canvas.size["width"] - gutter) * part
        return round(x - canvas.size["width"] / 2), round(y - canvas.size["height"] / 2)

    def picture(self):
        return self.run("return document.getElementById('timeline').toDataURL()")

    def has_color(self, variable):
        """How many pixels of the timeline have the colour of a state."""
        return self.run("""
            const probe = document.createElement('canvas').getContext('2d');
            probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim();
            probe.fillRect(0, 0, 1, 1);
            const [r, g, b] = probe.getImageData(0, 0, 1, 1).data, canvas = document.getElementById('timeline');
            const copy = Object.assign(document.createElement('canvas'), {width: canvas.width, height: canvas.height});
            const context = copy.getContext('2d', {willReadFrequently: true});
            context.drawImage(canvas, 0, 0);
            const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
            let n = 0;
            for (let i = 0; i < pixels.length; i += 4) n += pixels[i] === r && pixels[i + 1] === g && pixels[i + 2] === b;
            return n;""", variable)

    def messages(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]


def equal(got, wanted, what=""):
    assert got == wanted, f"{what}: {got!r}, not {wanted!r}"


def near(got, wanted, tolerance, what):
    assert abs(got - wanted) <= tolerance, f"{what}: {got}, not {wanted}"


# What holds of a page: the name of each function is the name of the test.


def shows_the_machine(page):
    text = page.find("header").text
    for known in ("7.3.4-arm64", "6.12.107+deb13-arm64", "--record boot.eret"):
        assert known in text, f"{known} is not in the head"
    assert f"{len(page.lines):,}" in page.find("#tiles").text
    equal(page.find("#notices").text, "", "notices")


def opens_where_the_guest_begins(page):
    begin, end = page.view()
    entry = page.run("return eret.data.moments.find(({text}) => text === 'first-instruction').time")
    near(end, page.run("return eret.data.span"), 1, "end of what is shown first")
    assert 0 < entry - begin < 0.05 * (end - entry), f"it begins at {begin}, the guest at {entry}"
    page.keys("n", "n")
    equal(page.view()[0], begin, "begin with one of the first switches in the focus")
    page.keys(Keys.HOME)
    near(page.view()[0], 0, 1, "begin of everything")
    page.click("#zoom-guest")
    equal(page.view()[0], begin, "begin after the button")
    page.keys(Keys.HOME, "g")
    equal(page.view()[0], begin, "begin after the key")
    for _ in range(40):
        page.keys(Keys.ARROW_LEFT)
    near(page.view()[0], 0, 1, "panned to the start")


def writes_microseconds(page):
    page.keys(Keys.HOME, Keys.ESCAPE, "n")
    text = page.run("return document.body.innerText")
    assert re.search(r"\d µs\b", text), "there is no µs on the page"
    equal(re.findall(r"\d us\b", text), [], "times in us")


def draws_the_timeline(page):
    for state in ("--guest", "--kernel", "--user", "--wait"):
        assert page.has_color(state) > 50, f"nothing in the timeline has the colour {state}"


def says_what_explain_says(page):
    step = max(1, len(page.lines) // 20000)
    said = page.run("return Array.from({length: eret.count}, (_, i) => i).filter((i) => i % arguments[0] === 0).map(eret.describe)", step)
    equal(page.run("return eret.count"), len(page.lines), "switches")
    for mine, wanted in zip(said, page.lines[::step]):
        equal(mine, wanted, "line")


def counts_each_switch_once(page):
    counts = [int(row.find_elements(By.TAG_NAME, "td")[0].text.replace(",", "")) for row in page.all("#classes tr")]
    equal(sum(counts), len(page.lines), "sum of the counts")
    begin, end = page.run("""
        const of = (track, sums) => sums.map((sum) => sum[track.count]);
        return [eret.timeline.tracks.map((track) => of(track, track.sums).reduce((a, b) => a + b)),
                eret.timeline.tracks.map((track) => track.times(0, eret.data.span).reduce((a, b) => a + b))]""")
    for whole, parts in zip(begin, end):
        near(parts, whole, 1, "the states' times")


def zooms_by_wheel(page):
    page.keys(Keys.HOME)
    x, y = page.place(0.25)
    before, whole = page.view(), page.span()
    origin = ScrollOrigin.from_element(page.canvas, x, y)
    page.actions.scroll_from_origin(origin, 0, -600).perform()
    page.frame()
    assert page.span() < whole / 2, "the wheel does not zoom in"
    at = before[0] + 0.25 * whole
    near((at - page.view()[0]) / page.span(), 0.25, 0.01, "the place under the pointer")
    page.actions.scroll_from_origin(origin, 0, 600).perform()
    page.frame()
    near(page.span(), whole, 1, "zoomed out again")


def zooms_and_pans_by_keys(page):
    page.keys(Keys.HOME)
    whole = page.span()
    page.keys("+", "+")
    near(page.span(), whole / 4, 1, "after ++")
    begin = page.view()[0]
    page.keys(Keys.ARROW_RIGHT)
    assert page.view()[0] > begin, "the right arrow does not pan"
    page.keys(Keys.ARROW_LEFT)
    near(page.view()[0], begin, 1, "after the left arrow")
    page.keys("-")
    near(page.span(), whole / 2, 1, "after -")
    page.keys(Keys.HOME)
    near(page.span(), whole, 1, "after Home")


def zooms_by_dragging(page):
    page.keys(Keys.HOME)
    before, whole = page.view()[0], page.span()
    (from_x, y), (to_x, _) = page.place(0.5), page.place(0.6)
    page.actions.move_to_element_with_offset(page.canvas, from_x, y).click_and_hold().move_by_offset(to_x - from_x, 0).release().perform()
    page.frame()
    near(page.view()[0], before + 0.5 * whole, 0.01 * whole, "begin of the selection")
    near(page.span(), 0.1 * whole, 0.01 * whole, "length of the selection")
    begin, span = page.view()[0], page.span()
    page.actions.key_down(Keys.SHIFT).move_to_element_with_offset(page.canvas, from_x, y).click_and_hold().move_by_offset(
        from_x - to_x, 0).release().key_up(Keys.SHIFT).perform()
    page.frame()
    near(page.span(), span, 1, "panned: length")
    near(page.view()[0], begin + 0.1 * span, 0.02 * span, "panned: begin")


def zooms_by_buttons(page):
    page.click("#zoom-all")
    whole = page.span()
    page.click("#zoom-in")
    near(page.span(), whole / 2, 1, "after the button +")
    page.click("#zoom-out")
    near(page.span(), whole, 1, "after the button -")


def steps_through_switches(page):
    page.keys(Keys.HOME, Keys.ESCAPE)
    first = [line for line in page.lines if line.startswith("vcpu0 ")][:4]
    page.keys("n", "n", "n")
    equal(page.find("#line").text, first[2], "the third switch")
    equal(page.find("#line").get_attribute("aria-live"), "polite", "aria-live")
    page.keys("p")
    equal(page.find("#line").text, first[1], "the one before")
    page.keys(Keys.ENTER)
    assert page.span() < 1e6, "Enter does not zoom to the switch"
    assert "EL2 and host kernel" in page.find("#more").text and "ERET" in page.find("#more").text
    page.keys(Keys.ARROW_DOWN)
    assert page.find("#line").text.startswith("vcpu1 "), "the down arrow does not go to another vCPU"


def explains_under_the_pointer(page):
    page.keys(Keys.HOME, Keys.ESCAPE, "n", "n", Keys.ENTER)
    line = page.find("#line").text
    page.actions.move_to_element_with_offset(page.canvas, *page.place(0.5)).perform()
    page.frame()
    tip = page.find("#tip").text
    assert line in tip and "ERET" in tip, f"the tip says {tip!r}, not {line!r}"
    page.keys(Keys.HOME)
    page.actions.move_to_element_with_offset(page.canvas, page.place(0.5)[0] + 3, page.place(0.5)[1]).perform()
    page.frame()
    assert "switches in" in page.find("#tip").text, f"far away the tip says {page.find('#tip').text!r}"


def draws_single_switches_near_by(page):
    page.keys(Keys.HOME, Keys.ESCAPE, "n", "n", Keys.ENTER)
    assert page.run("return eret.timeline.painter.isNear(eret.timeline.tracks)")
    assert page.has_color("--guest") > 50 and page.has_color("--kernel") > 50
    page.keys(Keys.HOME)
    assert not page.run("return eret.timeline.painter.isNear(eret.timeline.tracks)")


def sorts_the_table(page):
    def column(n):
        return [int(row.find_elements(By.CSS_SELECTOR, "th, td")[n].text.replace(",", "")) for row in page.all("#classes tr")]

    count = page.all("#classes-head th")[1]
    page.run("arguments[0].scrollIntoView({block: 'center'})", count)
    count.find_element(By.TAG_NAME, "button").click()
    equal(count.get_attribute("aria-sort"), "descending", "aria-sort")
    equal(column(1), sorted(column(1), reverse=True), "counts")
    count.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    equal(count.get_attribute("aria-sort"), "ascending", "aria-sort")
    equal(column(1), sorted(column(1)), "counts")
    page.all("#classes-head th button")[0].send_keys(Keys.SPACE)
    names = [button.text for button in page.all("#classes button")]
    equal(names, sorted(names), "names")
    equal([cell.get_attribute("aria-sort") for cell in page.all("#classes-head th")].count("none"), 6, "columns not sorted by")


def chooses_a_class(page):
    page.keys(Keys.HOME, Keys.ESCAPE)
    before, buckets = page.picture(), len(page.all("#histogram .bucket"))
    button = next(one for one in page.all("#classes button") if one.text.startswith("DABT_LOW uart"))
    name = button.text
    page.run("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    page.frame()
    equal(button.get_attribute("aria-pressed"), "true", "aria-pressed")
    assert name in page.find("#histogram-of").text and name in page.find("#histogram svg").get_attribute("aria-label")
    assert len(page.all("#histogram .bucket")) < buckets, "the histogram is not filtered"
    assert page.picture() != before, "the timeline does not mark the class"
    for _ in range(3):
        page.keys("n")
        assert "UARTDR" in page.find("#line").text, "n does not keep to the class"
    page.click("#clear-class")
    equal(len(page.all("#histogram .bucket")), buckets, "buckets of all classes")


def shows_the_boot(page):
    rows = page.all("#waterfall tr")
    equal(rows[0].find_element(By.TAG_NAME, "th").text, "process start", "first phase")
    assert any("mark 1: drivers loaded" in row.text for row in rows), "the mark is missing"
    page.keys(Keys.HOME)
    whole = page.span()
    page.run("arguments[0].scrollIntoView({block: 'center'})", rows[5])
    rows[5].find_element(By.TAG_NAME, "button").click()
    page.frame()
    assert page.span() < whole / 2, "a phase does not show itself in the timeline"


def shows_the_devices(page):
    """The numbers of `eret trace --summary`."""
    rows = {row.find_element(By.TAG_NAME, "th").text: [cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in page.all("#devices tr")}
    equal(rows["virtio-net0 queue 1"], ["3", "0", "3", "1", "2.9 KiB"], "a card's queue")
    assert "virtio-blk@0a000000 queue 0" in rows, f"the disk is missing in {rows}"
    equal([note.text for note in page.all("#device-notes li")], [
        "2 × virtio-net0: dropped: bad header",
        "virtio-net2, served by passt, which does not tell",
        "virtio-net1, served by /dev/vhost-net: received 12,345 packets (17.7 MiB), sent 7 (420 bytes)"], "notes")
    equal(page.run("return [0, 1023, 1024, 1048575, 1048576, 2 ** 60].map(formatSize)"),
          ["0 bytes", "1023 bytes", "1.0 KiB", "1024.0 KiB", "1.0 MiB", "1.0 EiB"], "sizes")


def changes_colors(page):
    def background():
        return page.run("return getComputedStyle(document.body).backgroundColor")

    page.keys(Keys.HOME, Keys.ESCAPE)
    light, picture = background(), page.picture()
    page.click("#theme")
    assert background() != light and page.picture() != picture, "the button changes nothing"
    assert page.has_color("--guest") > 50, "the timeline has not the colours of the page"
    dark = background()
    page.click("#theme")
    equal(background(), light, "background")
    page.run("delete document.documentElement.dataset.theme")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    page.frame()
    equal(background(), dark, "background as the system wants it")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})


def has_names_for_everything(page):
    unnamed = [button.get_attribute("outerHTML") for button in page.all("button") if button.is_displayed() and not button.accessible_name]
    equal(unnamed, [], "buttons without a name")
    canvas = page.find("#timeline")
    assert canvas.accessible_name and canvas.get_attribute("role") and canvas.get_attribute("tabindex") == "0"


def fits_narrow_windows(page):
    page.driver.set_window_size(420, 900)
    page.frame()
    wide, window = page.run("return [document.scrollingElement.scrollWidth, innerWidth]")
    page.driver.set_window_size(WIDTH, HEIGHT)
    page.frame()
    assert wide <= window, f"the page is {wide} pixels wide in a window of {window}"


def emulate(page, width=0, height=0, scheme="light"):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    if width:
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True})
    else:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.frame()


def looks_right_on_a_phone(page):
    """Nothing is cut and no word is broken, in light and dark; the pictures are kept for people."""
    wrong = """
        const seen = (one) => one.offsetParent !== null && !one.closest('.hidden'), wrong = [];
        const words = (node) => {
            for (const {index, 0: word} of node.data.matchAll(/[^\\s]+/g)) {
                const range = document.createRange();
                range.setStart(node, index);
                range.setEnd(node, index + word.length);
                const lines = new Set(Array.from(range.getClientRects(), ({top}) => Math.round(top)));
                if (lines.size > 1 && word.length < 30) wrong.push(`broken: ${word}`);
                for (const {right, left} of range.getClientRects()) if (right > innerWidth || left < 0) wrong.push(`cut: ${word}`);
            }
        };
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const parent = texts.currentNode.parentElement;
            if (seen(parent) && !['SCRIPT', 'STYLE'].includes(parent.tagName) && !parent.closest('.wide')) words(texts.currentNode);
        }
        for (const one of document.querySelectorAll('.scroll, td, th, section, .tile, .tools, header'))
            if (seen(one) && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline') wrong.push(`wider than its place: ${one.tagName} ${one.className} ${one.id} ${one.textContent.slice(0, 40)}`);
        if (document.scrollingElement.scrollWidth > innerWidth) wrong.push('the page scrolls sideways');
        return [...new Set(wrong)];"""
    backgrounds = []
    try:
        for scheme in ("light", "dark"):
            emulate(page, 412, 915, scheme)
            page.keys("g", Keys.ESCAPE, "n")
            equal(page.run(wrong), [], f"on a phone, {scheme}")
            backgrounds.append(page.run("return getComputedStyle(document.body).backgroundColor"))
            assert page.has_color("--guest") > 50, "the timeline is empty"
            small = page.run("return Array.from(document.querySelectorAll('.tools button')).filter((one) => one.offsetHeight < 36 || one.offsetWidth < 34).length")
            equal(small, 0, "buttons too small for a finger")
            page.run("scrollTo(0, 0)")
            picture = page.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
            (page.pictures / f"trace-page-phone-{scheme}.png").write_bytes(base64.b64decode(picture["data"]))
        assert backgrounds[0] != backgrounds[1], "light and dark are the same"
    finally:
        emulate(page)


def draws_with_bounded_work(page):
    """Operations are counted, not seconds: they must depend on the picture's size alone."""
    page.run("""
        window.operations = 0;
        const count = (prototype, names) => names.forEach((name) => {
            const original = prototype[name];
            prototype[name] = function (...all) { window.operations++; return original.apply(this, all); };
        });
        count(CanvasRenderingContext2D.prototype, ['fillRect', 'strokeRect', 'fill', 'stroke', 'fillText', 'drawImage', 'lineTo']);
        count(Path2D.prototype, ['rect']);
        const segments = Track.prototype.segments;
        window.visited = 0;
        Track.prototype.segments = function (...all) { window.visited++; return segments.apply(this, all); };""")
    page.keys(Keys.HOME)
    most = page.run("return eret.timeline.width * eret.timeline.rows.length") * OPERATIONS_A_PIXEL
    assert len(page.lines) > 5 * page.run("return eret.timeline.width * eret.timeline.tracks.length"), "too few switches to tell anything"
    for _ in range(14):
        page.run("window.operations = window.visited = 0")
        page.keys("+")
        operations, visited = page.run("return [window.operations, window.visited]")
        assert 0 < operations < most, f"{operations} operations for a frame, {most} are allowed"
        assert visited < most, f"{visited} switches are looked at for a frame, {most} are allowed"


def keeps_hostile_texts_as_texts(page):
    equal(page.run("return window.owned ?? null"), None, "window.owned")
    equal(len(page.all("img")), 0, "images")
    equal(len(page.all("script")), 1, "scripts")
    for place in ("#waterfall", "#facts", "#classes", "#devices", "#device-notes"):
        assert "<img src=x onerror=" in page.find(place).text, f"the text is not to be seen in {place}"
    page.keys(Keys.END, "n", "n")
    page.actions.move_to_element_with_offset(page.canvas, *page.place(0.5)).perform()
    equal(page.run("return window.owned ?? null"), None, "window.owned")
    assert "lost" in page.find("#notices").text and "end mark" in page.find("#notices").text


def lets_no_markup_and_no_script_in(page):
    """Even where the page had a hole: its policy. The browser reports each refusal, so this comes after the look at its messages."""
    refused = page.run("""
        const tries = [
            () => document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.owned=1">'),
            () => { const script = document.createElement('script'); script.textContent = 'window.owned=1'; document.body.append(script); },
            () => { const script = document.createElement('script'); script.append('window.owned=1'); document.body.append(script); },
            () => document.body.setAttribute('onclick', 'window.owned=1'),
        ];
        for (const attempt of tries) try { attempt(); } catch (error) { /* as it should be */ }
        document.body.click();
        return window.owned ?? null;""")
    equal(refused, None, "window.owned")
    failed = page.driver.execute_async_script("const done = arguments[0]; fetch('data:,x').then(() => done(false), () => done(true));")
    assert failed, "the page may fetch"


def says_that_kernel_events_are_missing(page):
    assert "permission denied; run as root" in page.find("#notices").text
    assert page.has_color("--run") > 50, "KVM_RUN is not drawn"
    equal(page.has_color("--guest"), 0, "pixels that claim to be the guest's")


def says_that_it_is_empty(page):
    assert "no world switch" in page.find("#notices").text
    assert not page.find("#devices-section").is_displayed(), "there are no devices"
    page.keys("n", "p", "+", "-", Keys.ENTER, Keys.ARROW_UP, Keys.ARROW_DOWN)


def fetches_nothing_and_complains_of_nothing(page):
    equal(page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)"), [], "fetched")
    equal(page.messages(), [], "messages of the browser")


LAST = fetches_nothing_and_complains_of_nothing
TESTS = [
    ("boot", [
        opens_where_the_guest_begins, shows_the_machine, writes_microseconds, draws_the_timeline, says_what_explain_says, counts_each_switch_once, zooms_by_wheel, zooms_and_pans_by_keys,
        zooms_by_dragging, zooms_by_buttons, steps_through_switches, explains_under_the_pointer, draws_single_switches_near_by,
        sorts_the_table, chooses_a_class, shows_the_boot, shows_the_devices, changes_colors, has_names_for_everything, fits_narrow_windows, looks_right_on_a_phone, LAST
    ]),
    ("large", [draws_the_timeline, says_what_explain_says, zooms_by_wheel, draws_with_bounded_work, LAST]),
    ("eret-only", [says_what_explain_says, says_that_kernel_events_are_missing, LAST]),
    ("hostile", [says_what_explain_says, keeps_hostile_texts_as_texts, LAST, lets_no_markup_and_no_script_in]),
    ("empty", [says_that_it_is_empty, LAST]),
]


def take_pictures(page, pictures):
    """For people. The page as it opens, and a switch near by in the dark."""
    page.run("eret.timeline.showGuest(); eret.timeline.focus(-1)")
    page.run("scrollTo(0, 0)")
    page.frame()
    page.driver.save_screenshot(str(pictures / "trace-page.png"))
    page.set_view(60.0e6, 60.12e6)
    page.keys("n", "n")
    page.click("#theme")
    page.run("scrollTo(0, 0)")
    page.frame()
    page.driver.save_screenshot(str(pictures / "trace-page-dark.png"))


def run_tests(driver, directory, pictures):
    n = 0
    for name, tests in TESTS:
        page = Page(driver, directory, pictures, name)
        for test in tests:
            n += 1
            title = f"{name}: {test.__name__.replace('_', ' ')}"
            try:
                test(page)
                print(f"ok {n} - {title}", flush=True)
            except Exception:  # whatever it is, it is this test's failure
                print(f"not ok {n} - {title}")
                print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
        if name == "boot":
            take_pictures(page, pictures)
    print(f"1..{n}")


def main():
    directory, pictures = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    driver = start_browser()
    try:
        run_tests(driver, directory, pictures)
    finally:
        driver.quit()


main()
