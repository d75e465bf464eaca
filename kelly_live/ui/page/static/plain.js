import { addLine, connect, createButton, get } from "./session.js";

const SUMMARY_MS = 4000; // a screen reader must get to the end of the last one
// No button can give what these take; roles, morphs, locks, players, traditions and what is followed have their own.
const NEED_A_VALUE = /valence|arousal|dominance|^(emotion|morph|path|role|set|mute|solo|level|lock|preset|save-preset|follow|culture|culture-strength)$/;
let summaryAt = -SUMMARY_MS;
let mayAct = false;
let shownSetup = "";

const session = connect({
  connection(isOpen) {
    if (!isOpen) get("summary").textContent = "not connected; trying again";
  },
  ended() {
    get("summary").textContent = "that session has ended; open the address that kelly-live prints now";
  },
  hello(message) {
    mayAct = message.may_act;
    const names = Object.entries(message.actions).filter(([name]) => !NEED_A_VALUE.test(name));
    const buttons = names.map(([name, help]) => createButton(help, () => session.act(name)));
    if (message.may_act) {
      buttons.push(...message.emotions.map((name) => createButton(`morph to ${name}`, () => session.act("morph", name))));
      buttons.push(...message.roles.map((name) => createButton(`role: ${name}`, () => session.act("role", name))));
      buttons.push(...message.locks.map((name) =>
        createButton(`lock ${name}, or release it`, () => session.act("lock", name))));
    }
    get("actions").replaceChildren(...buttons);
  },
  setup({ players, presets, trackable, cultures }) {
    const parts = players.map((player) => player.part);
    if (!mayAct || shownSetup === JSON.stringify([parts, presets])) return; // a button that has the focus stays
    shownSetup = JSON.stringify([parts, presets]);
    get("players").replaceChildren(
      ...parts.flatMap((part) => ["mute", "solo"].map((action) =>
        createButton(`${action} ${part}, or let go`, () => session.act(action, part)))),
      ...presets.map((name) => createButton(`play the preset ${name}`, () => session.act("preset", name))),
      ...[...trackable, "all", "none"].map((name) =>
        createButton(`follow of what I play: ${name}`, () => session.act("follow", name))),
      ...["none", ...cultures].map((name) =>
        createButton(`play as in the tradition: ${name}`, () => session.act("culture", name))));
  },
  state({ played, music, health, remarks, word }) {
    const now = performance.now();
    if (now - summaryAt < SUMMARY_MS) return;
    summaryAt = now;
    get("summary").textContent = [`${word || played.name}, ${Math.round(music.bpm)} BPM, ${music.tonic} ${music.mode}`,
      `chord ${music.chord || "none"}, bar ${music.bar}`, remarks, ...health.problems].filter(Boolean).join(". ");
  },
  line: (message) => addLine(get("lines"), message.text, 20),
  refusal: (message) => addLine(get("lines"), `not done: ${message.text}`, 20),
});
