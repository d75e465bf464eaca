// The set list of presets, and where the session is recorded.

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
      setNumbers(facts, [["recording", setup.recording || "no"]]);
    },
  };
}
