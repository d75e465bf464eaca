// The plane of valence and arousal: where the feeling is, steered by a drag, led along a path that is drawn.

import { EMOTION_COLOURS, fitCanvas } from "./session.js";
import { throttle } from "./widgets.js";

const TRAIL_STATES = 120;
const DOUBLE_TAP_MS = 350;
const MOST_PLACES = 24; // of a path that is sent
const LEAST_STEP = 0.03; // between two places of a path that is drawn
const LABELS = [["angry, afraid", 0, 0], ["happy, excited", 1, 0], ["sad", 0, 1], ["calm, content", 1, 1]];

/** Show the plane on a canvas. A drag with Shift or a pen, or while `draws()` is true, is a path over `bars()` bars. */
export function createPlane(canvas, { draws, bars }, act) {
  let trail = [];
  let state = null;
  let mayAct = false;
  let lastTap = -DOUBLE_TAP_MS;
  let isDragging = false;
  let path = null; // while it is drawn

  const steer = throttle(([valence, arousal]) => {
    act("valence", valence);
    act("arousal", arousal);
  });

  canvas.addEventListener("pointerdown", (event) => {
    if (!mayAct) return;
    const isDoubleTap = event.timeStamp - lastTap < DOUBLE_TAP_MS;
    lastTap = event.timeStamp;
    if (isDoubleTap) {
      steer.cancel();
      act("let-go");
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    isDragging = true;
    path = event.shiftKey || event.pointerType === "pen" || draws() ? [] : null;
    move(event);
  });
  canvas.addEventListener("pointermove", (event) => isDragging && move(event));
  canvas.addEventListener("pointerup", () => {
    if (path && path.length > 1) act("path", formatPath(path, bars()));
    isDragging = false;
    path = null;
  });
  canvas.addEventListener("pointercancel", () => {
    isDragging = false;
    path = null;
  });

  function move(event) {
    const box = canvas.getBoundingClientRect();
    const round = (share) => Math.round(Math.max(-1, Math.min(1, 2 * share - 1)) * 100) / 100;
    const place = [round((event.clientX - box.left) / box.width), round(1 - (event.clientY - box.top) / box.height)];
    if (path === null) {
      steer(place);
      return;
    }
    const last = path[path.length - 1];
    if (!last || Math.hypot(place[0] - last[0], place[1] - last[1]) >= LEAST_STEP) path.push(place);
  }

  return {
    allow(isAllowed) {
      mayAct = isAllowed;
    },
    takeState(message) {
      state = message;
      trail.push([message.played.valence, message.played.arousal]);
      trail = trail.slice(-TRAIL_STATES);
    },
    draw: () => drawPlane(canvas, { trail, state, path }),
  };
}

/** Return a path as the action takes it, thinned out to as many places as it may have. */
function formatPath(path, bars) {
  const count = Math.min(MOST_PLACES, path.length);
  const places = [...Array(count).keys()].map((i) => path[Math.round((i * (path.length - 1)) / (count - 1))]);
  return `${bars} ${places.map((place) => place.join(",")).join(" ")}`;
}

function drawPlane(canvas, { trail, state, path }) {
  const { context: c, width, height } = fitCanvas(canvas);
  const x = (valence) => ((valence + 1) / 2) * width;
  const y = (arousal) => ((1 - arousal) / 2) * height;
  const style = getComputedStyle(document.body);
  const line = (places) => {
    c.beginPath();
    places.forEach(([valence, arousal], i) => (i ? c.lineTo(x(valence), y(arousal)) : c.moveTo(x(valence), y(arousal))));
    c.stroke();
  };
  c.clearRect(0, 0, width, height);
  c.strokeStyle = style.getPropertyValue("--line");
  c.lineWidth = 1;
  line([[0, 1], [0, -1]]);
  line([[-1, 0], [1, 0]]);
  c.fillStyle = style.getPropertyValue("--faint");
  c.font = "13px system-ui";
  for (const [text, right, bottom] of LABELS) {
    c.textAlign = right ? "right" : "left";
    c.fillText(text, right ? width - 8 : 8, bottom ? height - 8 : 18);
  }
  trail.forEach(([valence, arousal], i) => {
    c.globalAlpha = (0.5 * i) / trail.length;
    c.beginPath();
    c.arc(x(valence), y(arousal), 3, 0, 7);
    c.fill();
  });
  c.globalAlpha = 1;
  c.lineWidth = 2;
  c.strokeStyle = style.getPropertyValue("--accent");
  if (path) line(path);
  if (!state) return;
  if (state.override.path.length) {
    c.setLineDash([6, 6]);
    line(state.override.path);
    c.setLineDash([]);
  }
  if (state.heard) {
    c.strokeStyle = style.getPropertyValue("--faint");
    c.beginPath(); // the less it is sure, the wider the ring
    c.arc(x(state.heard.valence), y(state.heard.arousal), 8 + 40 * (1 - state.heard.confidence), 0, 7);
    c.stroke();
  }
  c.fillStyle = EMOTION_COLOURS[state.played.name] || "#fff";
  c.beginPath();
  c.arc(x(state.played.valence), y(state.played.arousal), 10, 0, 7);
  c.fill();
}
