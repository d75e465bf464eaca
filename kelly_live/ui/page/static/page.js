import { EMOTION_COLOURS, addLine, connect, createBeatClock, createButton, get } from "./session.js";
import { createHealth } from "./health.js";
import { createLocks } from "./locks.js";
import { createMixer } from "./mixer.js";
import { createPlane } from "./plane.js";
import { createProfile } from "./profile.js";
import { createSetList } from "./setlist.js";
import { createTogether } from "./together.js";
import { createScore, createWaterfall, getPartColours } from "./waterfall.js";
import { setPressed, setText } from "./widgets.js";

const act = (name, value) => session.act(name, value);
const beatClock = createBeatClock();
const score = createScore(addPart);
const drawWaterfall = createWaterfall(get("roll"), score);
const drawsPath = () => get("draw-path").getAttribute("aria-pressed") === "true";
const plane = createPlane(get("plane"), { draws: drawsPath, bars: () => Number(get("path-bars").value) }, act);
const locks = createLocks(get("parameters"), act);
const mixer = createMixer(get("mixer"), act);
const profile = createProfile({ buttons: get("reactions"), name: get("profile"), learned: get("learned") }, act);
const setList = createSetList({ presets: get("presets"), facts: get("facts") }, act);
const together = createTogether({ follow: get("follow"), culture: get("culture") }, act);
const health = createHealth({
  level: get("level"), levelValue: get("level-value"), hearing: get("hearing"), numbers: get("health"),
  problems: get("problems"), remarks: get("remarks"),
});
const NOTICE_MS = 8000;
let noticeTimer = null;
let mayAct = false;

const session = connect({
  connection(isOpen) {
    get("connection").textContent = isOpen ? "connected" : "not connected; trying again …";
    document.body.classList.toggle("lost", !isOpen);
    if (isOpen) score.clear();
  },
  ended() {
    get("connection").textContent = "that session has ended; open the address that kelly-live prints now";
  },
  hello(message) {
    mayAct = message.may_act;
    plane.allow(mayAct);
    if (!mayAct) get("connection").textContent = "connected, to look only";
    buildControls(message);
    allowControls();
  },
  setup(message) {
    for (const widget of [mixer, profile, setList, together]) widget.takeSetup(message);
    setPressed(get("record"), Boolean(message.recording));
    allowControls();
  },
  state(message) {
    beatClock.update(message.music);
    for (const widget of [score, plane, locks, mixer, health]) widget.takeState(message);
    showState(message);
  },
  notes: (message) => score.takeNotes(message),
  coming: (message) => score.takeComing(message),
  line: (message) => showLine(message.text),
  refusal: (message) => showLine(`not done: ${message.text}`),
});

/** Add a line to the messages, and show it for a while where the hand is: the messages may be far below. */
function showLine(text) {
  addLine(get("lines"), text);
  setText(get("notice"), text);
  get("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { get("notice").hidden = true; }, NOTICE_MS);
}

function buildControls(hello) {
  get("emotions").replaceChildren(...hello.emotions.map((name) => {
    const button = createButton(name, () => act("morph", name));
    button.dataset.emotion = name;
    button.style.setProperty("--colour", EMOTION_COLOURS[name] || "#a9b4c6");
    return button;
  }));
  get("role").replaceChildren(...hello.roles.map((name) => new Option(name, name)));
  locks.build(hello.locks);
}

function allowControls() {
  for (const control of document.querySelectorAll("button, input, select")) control.disabled = !mayAct;
}

get("role").addEventListener("change", (event) => act("role", event.target.value));
get("draw-path").addEventListener("click", (event) => setPressed(event.target, !drawsPath()));
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => act(button.dataset.action));
}
for (const axis of ["valence", "arousal"]) {
  get(axis).addEventListener("input", (event) => act(axis, Number(event.target.value)));
}

function addPart(part) {
  const item = document.createElement("li");
  const [onDark, onLight] = getPartColours(part);
  item.textContent = part;
  item.style.setProperty("--on-dark", onDark);
  item.style.setProperty("--on-light", onLight);
  get("parts").append(item);
}

function showState({ played, override, music, standby, word }) {
  const share = override.emotion ? "" : `${Math.round(100 * played.confidence)} %`;
  setText(get("now-emotion"), [`${played.name} ${share}`.trim(), word].filter(Boolean).join(" · "));
  setText(get("standby"), standby);
  get("go").hidden = !standby.includes("standby");
  setText(get("now-tempo"), `${Math.round(music.bpm)} BPM`);
  setText(get("now-key"), `${music.tonic} ${music.mode}`);
  setText(get("now-chord"), music.chord || "–");
  setText(get("now-bar"), music.is_stopped ? "waiting" : String(music.bar));
  const coming = score.listChords(music.beat).map(([, chord]) => chord);
  setText(get("chords"), `coming: ${coming.slice(0, 8).join("  ") || "–"}`);
  setPressed(get("freeze"), override.freeze);
  for (const axis of ["valence", "arousal"]) {
    setText(get(`${axis}-value`), played[axis].toFixed(2));
    if (document.activeElement !== get(axis)) get(axis).value = played[axis];
  }
  setText(get("override"), describeOverride(override));
  for (const button of get("emotions").children) {
    button.style.setProperty("--share", played.probabilities[button.dataset.emotion] || 0);
  }
  if (document.activeElement !== get("role")) get("role").value = music.role;
}

function describeOverride(override) {
  const held = ["valence", "arousal", "dominance"].filter((axis) => override[axis] !== null);
  const parts = [];
  if (override.freeze) parts.push("frozen");
  if (override.emotion) parts.push(`held at ${override.emotion}`);
  if (held.length) parts.push(`${held.join(", ")} held`);
  if (override.path.length) parts.push("on the path that was drawn");
  else if (override.morph) parts.push(`on the way to ${override.morph}`);
  return parts.join("; ") || "follows what is heard";
}

function draw() {
  drawWaterfall(beatClock.now());
  plane.draw();
  requestAnimationFrame(draw);
}
draw();
