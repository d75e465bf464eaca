// The musical parameters: what each is now, where the feeling leads it, and its lock.

import { createSwitch, setPressed, setText } from "./widgets.js";

const NOTE_NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const formatPitch = (pitch) => `${NOTE_NAMES[Math.round(pitch) % 12]}${Math.floor(Math.round(pitch) / 12) - 1}`;
const formatShare = (share) => `${Math.round(100 * share)}`;
const FORMATS = {
  tempo: (p) => `${Math.round(p.tempo)} BPM`,
  mode: (p) => p.mode,
  register: (p) => `${formatPitch(p.low)} to ${formatPitch(p.high)}`,
  dynamics: (p) => `${formatShare(p.softest)} to ${formatShare(p.loudest)} %`,
  density: (p) => p.density.toFixed(2),
  articulation: (p) => `${p.rhythm}, ${p.style || "plain"}`,
};

/** Show the parameters as rows of the table's body `root`; `build` is called with the locks' names. */
export function createLocks(root, act) {
  const rows = new Map();

  return {
    build(names) {
      rows.clear();
      root.replaceChildren(...names.map((name) => {
        const row = document.createElement("tr");
        const header = document.createElement("th");
        header.scope = "row";
        header.textContent = name;
        const [now, target, cell] = [0, 1, 2].map(() => document.createElement("td"));
        const lock = createSwitch("Lock", `Lock ${name}`, () => act("lock", name));
        cell.append(lock);
        row.append(header, now, target, cell);
        rows.set(name, { now, target, lock });
        return row;
      }));
    },
    takeState({ now, parameters, music, locks }) {
      for (const [name, row] of rows) {
        const format = FORMATS[name];
        setText(row.now, describeNow(name, now, music) ?? (now && format ? format(now) : "–"));
        setText(row.target, format ? format(parameters) : "–");
        setPressed(row.lock, locks.includes(name));
      }
    },
  };
}

/** What is told exactly by where the music is: the tempo with what it is synchronised to, the scale, the tonic. */
function describeNow(name, now, music) {
  if (name === "tempo") return `${Math.round(music.bpm)} BPM`;
  if (name === "key") return music.tonic;
  return name === "mode" && music.mode ? music.mode : null;
}
