// Small parts that the page's widgets share.

import { createButton } from "./session.js";

const TOUCH_MS = 700; // for so long after a hand moved a control, the session's own value does not move it back
const ACT_MS = 70; // between two actions of a control that is dragged: 30 actions a second are taken

/** Write a text, if it is another. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Write rows of a name and a value into a `dl`. */
export function setNumbers(list, rows) {
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(() => {
      const row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      return row;
    }));
  }
  rows.forEach(([name, value], i) => {
    const [term, number] = list.children[i].children;
    setText(term, name);
    setText(number, value);
  });
}

/** Write one item for each text into a list, if they are others. */
export function setItems(list, texts) {
  const shown = texts.join("\n");
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...texts.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

/** Create a button that is on or off; `name` says to what it belongs: "mute bass". */
export function createSwitch(text, name, act) {
  const button = createButton(text, act);
  button.setAttribute("aria-label", name);
  setPressed(button, false);
  return button;
}

export function setPressed(button, isOn) {
  button.setAttribute("aria-pressed", String(isOn));
}

/** Return a function that calls `act` at once, then at most once every ACT_MS with the last value; `cancel` drops it. */
export function throttle(act) {
  let timer = null;
  let next = null;
  let last = -ACT_MS;
  const send = () => {
    timer = null;
    last = performance.now();
    act(next);
  };
  const call = (value) => {
    next = value;
    const waitMs = last + ACT_MS - performance.now();
    if (timer === null && waitMs <= 0) send();
    else timer ??= setTimeout(send, waitMs);
  };
  call.cancel = () => {
    clearTimeout(timer);
    timer = null;
  };
  return call;
}

/** Create a slider with its label and value, and a way to set it, which does nothing while a hand moves it. */
export function createSlider(text, { min, max, step, format = String }, act) {
  const label = document.createElement("label");
  const output = document.createElement("output");
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min, max, step });
  label.append(`${text} `, output, input);
  const send = throttle(act);
  let movedAt = -TOUCH_MS;
  input.addEventListener("input", () => {
    movedAt = performance.now();
    setText(output, format(Number(input.value)));
    send(Number(input.value));
  });
  return {
    element: label,
    set(value) {
      if (performance.now() - movedAt < TOUCH_MS) return;
      input.value = value;
      setText(output, format(value));
    },
  };
}

/** Create a choice with its label, and a way to set it, which does nothing while it is open. */
export function createChoice(text, choices, act) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.append(...choices.map((choice) => new Option(choice, choice)));
  select.addEventListener("change", () => act(select.value));
  label.append(`${text} `, select);
  return {
    element: label,
    set(value) {
      if (document.activeElement === select || select.value === value) return;
      if (![...select.options].some((option) => option.value === value)) select.append(new Option(value, value));
      select.value = value;
    },
  };
}
