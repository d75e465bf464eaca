import { EMOTION_COLOURS, connect, createBeatClock, fitCanvas, get } from "./session.js";
import { createScore } from "./waterfall.js";
import { setText } from "./widgets.js";

const LONGEST_BEATS = 6;
const COMING_CHORDS = 4;
const beatClock = createBeatClock();
const score = createScore();
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
let state = null;

connect({
  connection: (isOpen) => isOpen && score.clear(),
  state(message) {
    state = message;
    beatClock.update(message.music);
    score.takeState(message);
    setText(get("feeling"), message.word || message.played.name);
    const coming = score.listChords(message.music.beat).map(([, chord]) => chord);
    setText(get("chords"), [message.music.chord, ...coming.slice(0, COMING_CHORDS)].filter(Boolean).join("   "));
  },
  notes: (message) => score.takeNotes(message),
  coming: (message) => score.takeComing(message),
});

/** Draw each note as a ring that grows and fades from where its pitch and the feeling put it, and falls there first. */
function draw() {
  const { context: c, width, height } = fitCanvas(get("picture"));
  c.clearRect(0, 0, width, height);
  requestAnimationFrame(draw);
  if (!state) return;
  const now = beatClock.now();
  c.strokeStyle = EMOTION_COLOURS[state.played.name] || "#ffffff";
  const placeOf = (onset, pitch) => [((pitch - 28) / 68) * width,
    height * (0.5 - 0.35 * state.played.arousal) + 60 * Math.sin(pitch + onset)];
  const ahead = 2 * score.perBar;
  for (const [onset, duration, pitch] of score.coming) {
    const left = onset - now;
    if (left < 0 || left > ahead || isStill.matches) continue;
    const [x, y] = placeOf(onset, pitch);
    const wide = Math.max(6, width / 120), tall = Math.max(wide, (Math.min(duration, 2) / ahead) * height * 0.6);
    const bottom = y - (left / ahead) * height * 0.8;
    c.globalAlpha = 0.75 * (1 - left / ahead) + 0.15;
    c.lineWidth = 2;
    c.beginPath();
    c.roundRect(x - wide / 2, bottom - tall, wide, tall, wide / 2);
    c.stroke();
  }
  for (const [onset, duration, pitch, velocity] of score.played) {
    const age = now - onset;
    if (age < 0 || age > LONGEST_BEATS) continue;
    const [x, y] = placeOf(onset, pitch);
    const grown = isStill.matches ? 1 : 0.4 + age / (0.5 + duration);
    const size = (velocity / 127) * Math.min(width, height) * 0.12 * grown;
    c.globalAlpha = Math.max(0, 0.8 * (1 - age / LONGEST_BEATS)) ** 2;
    c.lineWidth = 2 + 4 * (velocity / 127);
    c.beginPath();
    c.arc(x, y, Math.max(2, size), 0, 7);
    c.stroke();
  }
  c.globalAlpha = 1;
}
draw();
