// The mixer: a strip for each player, with mute, solo, level, and its own parameters.

import { createChoice, createSlider, createSwitch, setPressed } from "./widgets.js";

const formatLevel = (level) => `${Math.round(100 * level)} %`;

/** Show the players under `root`, and act on them. */
export function createMixer(root, act) {
  const strips = new Map();
  let shown = "";

  return {
    /** Take who plays: the strips are made anew where other players, or players of other parameters, came. */
    takeSetup({ players }) {
      const key = JSON.stringify(players.map((player) => [
        player.part, player.generator, player.controls.map(({ address, kind, low, high, choices }) =>
          [address, kind, low, high, choices])]));
      if (key !== shown) {
        shown = key;
        strips.clear();
        for (const player of players) strips.set(player.part, createStrip(player, act));
        root.replaceChildren(...[...strips.values()].map((strip) => strip.element));
      }
      for (const player of players) strips.get(player.part).setControls(player.controls);
    },
    takeState({ mixer }) {
      for (const one of mixer) strips.get(one.part)?.set(one);
    },
  };
}

function createStrip({ part, generator, controls }, act) {
  const element = document.createElement("div");
  element.className = "strip";
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", part);
  const title = document.createElement("p");
  title.textContent = part === generator ? part : `${part} (${generator})`;
  const mute = createSwitch("Mute", `Mute ${part}`, () => act("mute", part));
  const solo = createSwitch("Solo", `Solo ${part}`, () => act("solo", part));
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  buttons.append(mute, solo);
  const level = createSlider("level", { min: 0, max: 1, step: 0.01, format: formatLevel },
    (value) => act("level", `${part}=${value}`));
  element.append(title, buttons, level.element);
  const shown = new Map(controls.map((control) => [control.address, createControl(part, control, act)]));
  if (shown.size) {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = `parameters of ${part}`;
    details.append(summary, ...[...shown.values()].map((control) => control.element));
    element.append(details);
  }
  return {
    element,
    set(strip) {
      setPressed(mute, strip.mute);
      setPressed(solo, strip.solo);
      level.set(strip.level);
      element.classList.toggle("silent", !strip.heard);
    },
    setControls(values) {
      for (const { address, value } of values) shown.get(address)?.set(value);
    },
  };
}

/** Create what sets a parameter: a slider, a choice or a switch, by its kind. */
function createControl(part, { address, kind, low, high, choices, help, unit }, act) {
  const name = address.slice(part.length + 1);
  const send = (value) => act("set", `${address}=${value}`);
  const control = create();
  control.element.title = help;
  return control;

  function create() {
    if (kind === "choice") return createChoice(name, choices, send);
    if (kind === "switch") {
      const element = createSwitch(name, `${name} of ${part}`, () =>
        send(element.getAttribute("aria-pressed") === "true" ? "off" : "on"));
      return { element, set: (value) => setPressed(element, value) };
    }
    const step = kind === "whole" ? 1 : (high - low) / 100;
    const format = (value) => `${Math.round(100 * value) / 100}${unit ? ` ${unit}` : ""}`;
    return createSlider(name, { min: low, max: high, step, format }, send);
  }
}
