/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
/*
 * Numbers for people, in the words of the other reports (human.h), and the making of elements. Texts of a recording may be a hostile guest's: they become
 * text nodes and attributes here, never markup, and the page's policy forbids the rest.
 */

/* "812 ns", "3.14 µs": three digits. */
function formatTime(ns) {
  if (ns < 0) return "-" + formatTime(-ns);
  if (ns < 1000) return `${Math.round(ns)} ns`;
  const units = [["µs", 1e3], ["ms", 1e6], ["s", 1e9]];
  const unit = units.find(([, size], i) => ns / size < 999.5 || i === units.length - 1);
  const value = ns / unit[1];
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit[0]}`;
}

/* A moment, with as many digits as tell it from one STEP later. */
function formatMoment(ns, step) {
  const [unit, size] = Math.abs(ns) >= 1e9 || step >= 1e8 ? ["s", 1e9] : Math.abs(ns) >= 1e6 || step >= 1e5 ? ["ms", 1e6] : ["µs", 1e3];
  const digits = Math.max(0, Math.min(9, Math.ceil(Math.log10(size / step) - 1e-9)));
  return ns === 0 ? "0" : `${(ns / size).toFixed(digits)} ${unit}`;
}

function formatCount(n) {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/* "512 bytes", "4.0 KiB" */
function formatSize(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], unit = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1024 ** unit).toFixed(1)} ${units[unit - 1]}`;
}

function formatShare(part, whole) {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "-";
}

function plural(n, noun) {
  return `${formatCount(n)} ${noun}${n === 1 ? "" : /(s|ch)$/.test(noun) ? "es" : "s"}`;
}

/* An element. Attributes whose value is a function become listeners; false and null leave one out. Children: elements and texts. */
function element(name, attributes, ...children) {
  const svg = ["svg", "rect", "line", "text", "title", "g", "path"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);

/* The first index in [FROM, TO) at which IS holds; TO when nowhere. IS is false up to there and true from there on. */
function firstIndex(from, to, is) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (is(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
