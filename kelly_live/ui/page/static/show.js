import { EMOTION_COLOURS, connect, createBeatClock, fitCanvas } from "./session.js";

const LONGEST_BEATS = 6;
const beatClock = createBeatClock();
let state = null;
let notes = [];

connect({
  state(message) {
    state = message;
    beatClock.update(message.music);
    const feeling = document.getElementById("feeling");
    if (feeling.textContent !== message.played.name) feeling.textContent = message.played.name;
  },
  notes(message) {
    notes = notes.concat(message.notes).slice(-400);
  },
});

/** Draw each note as a ring that grows and fades from where its pitch and the feeling put it. */
function draw() {
  const { context: c, width, height } = fitCanvas(document.getElementById("picture"));
  c.clearRect(0, 0, width, height);
  requestAnimationFrame(draw);
  if (!state) return;
  const now = beatClock.now();
  const colour = EMOTION_COLOURS[state.played.name] || "#ffffff";
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  notes = notes.filter((note) => note[0] > now - LONGEST_BEATS);
  for (const [onset, duration, pitch, velocity] of notes) {
    const age = now - onset;
    if (age < 0) continue;
    const x = ((pitch - 28) / 68) * width;
    const y = height * (0.5 - 0.35 * state.played.arousal) + 60 * Math.sin(pitch + onset);
    const size = (velocity / 127) * Math.min(width, height) * 0.12 * (isStill ? 1 : 0.4 + age / (0.5 + duration));
    c.globalAlpha = Math.max(0, 0.8 * (1 - age / LONGEST_BEATS)) ** 2;
    c.strokeStyle = colour;
    c.lineWidth = 2 + 4 * (velocity / 127);
    c.beginPath();
    c.arc(x, y, Math.max(2, size), 0, 7);
    c.stroke();
  }
  c.globalAlpha = 1;
}
draw();
