// How it plays with the player: what of him it follows, and the tradition that it plays in. The role is in page.js.

import { createChoice, createSlider, createSwitch, setPressed } from "./widgets.js";

const NONE = "none";
const formatShare = (share) => `${Math.round(100 * share)} %`;

/** Make the switches in `follow` and the tradition's controls in `culture`, and act on them. */
export function createTogether({ follow, culture }, act) {
  const switches = new Map();
  let choice = null; // of a tradition
  const strength = createSlider("how closely", { min: 0, max: 1, step: 0.05, format: formatShare },
    (share) => act("culture-strength", share));

  function build(setup) {
    follow.replaceChildren(...setup.trackable.map((name) => {
      const button = createSwitch(name, `Follow my ${name}`, () => act("follow", toggle(name)));
      switches.set(name, button);
      return button;
    }));
    choice = createChoice("tradition", [NONE, ...setup.cultures], (name) => act("culture", name));
    culture.replaceChildren(choice.element, strength.element);
  }

  const isOn = (name) => switches.get(name).getAttribute("aria-pressed") === "true";
  const toggle = (name) =>
    [...switches.keys()].filter((one) => (one === name) !== isOn(one)).join(",") || NONE;

  return {
    takeSetup(setup) {
      if (choice === null) build(setup);
      for (const [name, button] of switches) setPressed(button, setup.follow.includes(name));
      choice.set(setup.culture ?? NONE);
      strength.set(setup.culture_strength);
      strength.element.hidden = setup.culture === null;
    },
  };
}
