// The set list of presets, the tradition, what of the player is followed, and the recording.

import { createButton } from "./session.js";
import { setNumbers, setPressed } from "./widgets.js";

/** Show the presets as buttons in `presets`, and the rest in the `dl` `facts`. */
export function createSetList({ presets, facts }, act) {
  let shown = "";

  return {
    takeSetup(setup) {
      const key = JSON.stringify([setup.presets, setup.preset]);
      if (key !== shown) {
        shown = key;
        presets.replaceChildren(...setup.presets.map((name) => {
          const button = createButton(name, () => act("preset", name));
          setPressed(button, name === setup.preset);
          return button;
        }));
      }
      setNumbers(facts, [
        ["culture", setup.culture === null ? "none" : `${setup.culture}, ${Math.round(100 * setup.culture_strength)} %`],
        ["follows", setup.follow.join(", ") || "nothing"],
        ["recording", setup.recording || "no"],
      ]);
    },
  };
}
