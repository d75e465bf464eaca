// The profile: what a person says of the music, takes back, and what was learned of it.

import { createButton } from "./session.js";
import { setItems, setText } from "./widgets.js";

const REACTIONS = [
  ["like", "I like this"], ["dislike", "I don't"], ["more-like-this", "More like this"],
  ["too-fast", "Too fast"], ["too-slow", "Too slow"], ["too-dark", "Too dark"], ["too-bright", "Too bright"],
  ["too-busy", "Too busy"], ["too-sparse", "Too sparse"], ["too-loud", "Too loud"], ["too-soft", "Too soft"],
  ["undo-reaction", "Undo"],
];

/** Show the reactions in `buttons`, whom it plays for in `name`, and what was learned in the list `learned`. */
export function createProfile({ buttons, name, learned }, act) {
  buttons.replaceChildren(...REACTIONS.map(([action, text]) => {
    const button = createButton(text, () => act(action));
    button.dataset.reaction = action;
    return button;
  }));
  return {
    takeSetup({ profile, learned: lines }) {
      setText(name, profile === null ? "plays for nobody in particular" : `plays for ${profile}`);
      setItems(learned, lines);
    },
  };
}
