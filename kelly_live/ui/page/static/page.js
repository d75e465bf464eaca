import { EMOTION_COLOURS, addLine, connect, createBeatClock, createButton, fitCanvas } from "./session.js";
import { createScore, createWaterfall, getPartColours } from "./waterfall.js";

const TRAIL_STATES = 120;
const REACTIONS = [
  ["like", "I like this"], ["dislike", "I don't"], ["more-like-this", "More like this"],
  ["too-fast", "Too fast"], ["too-slow", "Too slow"], ["too-dark", "Too dark"], ["too-bright", "Too bright"],
  ["too-busy", "Too busy"], ["too-sparse", "Too sparse"], ["too-loud", "Too loud"], ["too-soft", "Too soft"],
  ["undo-reaction", "Undo"],
];
const NOTE_NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

const get = (id) => document.getElementById(id);
const beatClock = createBeatClock();
const score = createScore(addPart);
const drawWaterfall = createWaterfall(get("roll"), score);
let trail = [];
let state = null;
let isDragging = false;
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
    if (!mayAct) get("connection").textContent = "connected, to look only";
    buildControls(message);
  },
  state(message) {
    state = message;
    beatClock.update(message.music);
    score.takeState(message);
    trail.push([message.played.valence, message.played.arousal]);
    trail = trail.slice(-TRAIL_STATES);
    showState(message);
  },
  notes: (message) => score.takeNotes(message),
  coming: (message) => score.takeComing(message),
  line: (message) => addLine(get("lines"), message.text),
  refusal: (message) => addLine(get("lines"), `not done: ${message.text}`),
});

function buildControls(hello) {
  get("emotions").replaceChildren(...hello.emotions.map((name) => {
    const button = createButton(name, () => session.act("morph", name));
    button.dataset.emotion = name;
    button.style.setProperty("--colour", EMOTION_COLOURS[name] || "#a9b4c6");
    return button;
  }));
  get("reactions").replaceChildren(
    ...REACTIONS.map(([name, text]) => createButton(text, () => session.act(name))));
  get("role").replaceChildren(...hello.roles.map((name) => new Option(name, name)));
  for (const control of document.querySelectorAll("button, input, select")) control.disabled = !mayAct;
}

get("freeze").addEventListener("click", () => session.act("freeze"));
get("release").addEventListener("click", () => session.act("let-go"));
get("panic").addEventListener("click", () => session.act("panic"));
get("role").addEventListener("change", (event) => session.act("role", event.target.value));
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => session.act(button.dataset.action));
}
for (const axis of ["valence", "arousal"]) {
  get(axis).addEventListener("input", (event) => session.act(axis, Number(event.target.value)));
}

// ---------------------------------------------------------------- the plane of valence and arousal

const plane = get("plane");
let lastTap = 0;
plane.addEventListener("pointerdown", (event) => {
  if (!mayAct) return;
  const isDoubleTap = event.timeStamp - lastTap < 350;
  lastTap = event.timeStamp;
  if (isDoubleTap) {
    session.act("let-go");
    return;
  }
  plane.setPointerCapture(event.pointerId);
  isDragging = true;
  steer(event);
});
plane.addEventListener("pointermove", (event) => isDragging && steer(event));
for (const name of ["pointerup", "pointercancel"]) plane.addEventListener(name, () => (isDragging = false));

let steerAt = 0;
function steer(event) {
  if (event.type === "pointermove" && event.timeStamp - steerAt < 70) return; // 30 actions a second are taken
  steerAt = event.timeStamp;
  const box = plane.getBoundingClientRect();
  const place = (share) => Math.round(Math.max(-1, Math.min(1, 2 * share - 1)) * 100) / 100;
  session.act("valence", place((event.clientX - box.left) / box.width));
  session.act("arousal", place(1 - (event.clientY - box.top) / box.height));
}

function drawPlane() {
  const { context: c, width, height } = fitCanvas(plane);
  const x = (valence) => ((valence + 1) / 2) * width;
  const y = (arousal) => ((1 - arousal) / 2) * height;
  const style = getComputedStyle(document.body);
  c.clearRect(0, 0, width, height);
  c.strokeStyle = style.getPropertyValue("--line");
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(x(0), 0);
  c.lineTo(x(0), height);
  c.moveTo(0, y(0));
  c.lineTo(width, y(0));
  c.stroke();
  c.fillStyle = style.getPropertyValue("--faint");
  c.font = "13px system-ui";
  for (const [text, dx, dy, align] of [["angry, afraid", 8, 18, "left"], ["happy, excited", width - 8, 18, "right"],
    ["sad", 8, height - 8, "left"], ["calm, content", width - 8, height - 8, "right"]]) {
    c.textAlign = align;
    c.fillText(text, dx, dy);
  }
  trail.forEach(([valence, arousal], i) => {
    c.globalAlpha = (0.5 * i) / trail.length;
    c.beginPath();
    c.arc(x(valence), y(arousal), 3, 0, 7);
    c.fill();
  });
  c.globalAlpha = 1;
  if (!state) return;
  if (state.heard) {
    c.strokeStyle = style.getPropertyValue("--faint");
    c.lineWidth = 2;
    c.beginPath(); // the less it is sure, the wider the ring
    c.arc(x(state.heard.valence), y(state.heard.arousal), 8 + 40 * (1 - state.heard.confidence), 0, 7);
    c.stroke();
  }
  c.fillStyle = EMOTION_COLOURS[state.played.name] || "#fff";
  c.beginPath();
  c.arc(x(state.played.valence), y(state.played.arousal), 10, 0, 7);
  c.fill();
}

// ---------------------------------------------------------------- the parts' names and colours

function addPart(part) {
  const item = document.createElement("li");
  const [onDark, onLight] = getPartColours(part);
  item.textContent = part;
  item.style.setProperty("--on-dark", onDark);
  item.style.setProperty("--on-light", onLight);
  get("parts").append(item);
}

// ---------------------------------------------------------------- numbers

function setText(id, text) {
  const element = get(id);
  if (element.textContent !== text) element.textContent = text;
}

function setNumbers(id, rows) {
  const list = get(id);
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(() => {
      const row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      return row;
    }));
  }
  rows.forEach(([name, value], i) => {
    const [term, number] = list.children[i].children;
    if (term.textContent !== name) term.textContent = name;
    if (number.textContent !== value) number.textContent = value;
  });
}

const formatPitch = (pitch) => `${NOTE_NAMES[Math.round(pitch) % 12]}${Math.floor(Math.round(pitch) / 12) - 1}`;
const formatShare = (share) => `${Math.round(100 * share)} %`;

function showState({ played, override, music, parameters, health, remarks, muted }) {
  setText("now-emotion", `${played.name} ${override.emotion ? "" : formatShare(played.confidence)}`.trim());
  setText("now-tempo", `${Math.round(music.bpm)} BPM`);
  setText("now-key", `${music.tonic} ${music.mode}`);
  setText("now-chord", music.chord || "–");
  setText("now-bar", music.is_stopped ? "waiting" : String(music.bar));
  const coming = score.listChords(music.beat).map(([, chord]) => chord);
  setText("chords", `coming: ${coming.slice(0, 8).join("  ") || "–"}`);
  get("freeze").setAttribute("aria-pressed", String(override.freeze));
  for (const axis of ["valence", "arousal"]) {
    setText(`${axis}-value`, played[axis].toFixed(2));
    if (document.activeElement !== get(axis)) get(axis).value = played[axis];
  }
  const held = ["valence", "arousal", "dominance"].filter((axis) => override[axis] !== null);
  const parts = [];
  if (override.freeze) parts.push("frozen");
  if (override.emotion) parts.push(`held at ${override.emotion}`);
  if (held.length) parts.push(`${held.join(", ")} held`);
  if (override.morph) parts.push(`on the way to ${override.morph}`);
  setText("override", parts.join("; ") || "follows what is heard");
  for (const button of get("emotions").children) {
    button.style.setProperty("--share", played.probabilities[button.dataset.emotion] || 0);
  }
  if (document.activeElement !== get("role")) get("role").value = music.role;
  setNumbers("parameters", [
    ["tempo", `${Math.round(parameters.tempo)} BPM`], ["mode", parameters.mode],
    ["melody", `${formatPitch(parameters.low)} to ${formatPitch(parameters.high)}`],
    ["loudness", `${formatShare(parameters.softest)} to ${formatShare(parameters.loudest)}`],
    ["density", parameters.density.toFixed(2)], ["style", parameters.style || "plain"],
  ]);
  get("level").value = health.level_dbfs;
  setText("level-value", `${health.level_dbfs.toFixed(0)} dB`);
  setText("remarks", remarks);
  setNumbers("health", [
    ["late", String(health.late_messages)], ["notes dropped", String(health.dropped_notes)],
    ["held to the limits", String(health.limited_notes)],
    ["input skipped", String(health.dropped_windows)], ["overflows", String(health.overflows)],
    ["lateness, p99", `${health.late_ms.toFixed(2)} ms`],
  ]);
  const problems = [...health.problems, ...Object.values(muted)];
  if (get("problems").dataset.shown !== problems.join("\n")) {
    get("problems").dataset.shown = problems.join("\n");
    get("problems").replaceChildren();
    for (const problem of problems) addLine(get("problems"), problem);
  }
}

function draw() {
  drawWaterfall(beatClock.now());
  drawPlane();
  requestAnimationFrame(draw);
}
draw();
