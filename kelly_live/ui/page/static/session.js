// The socket to the session. Reconnects by itself; see docs/page.md for the messages.

/** Connect, and call the handler of a message's type with it: hello, state, notes, line, refusal, connection; ended if
 * another session has the page's address, which this browser's token does not open. */
export function connect(handlers) {
  const call = (name, message) => handlers[name] && handlers[name](message);
  let socket = null;
  let waitMs = 250;

  function open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}/api`);
    socket.onopen = () => {
      waitMs = 250;
      call("connection", true);
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      call(message.type, message);
    };
    socket.onclose = () => {
      call("connection", false);
      fetch("/plain", { cache: "no-store" }).then((answer) => {
        if (answer.status === 403) call("ended");
      }, () => {}); // nobody answers: it is tried again
      setTimeout(open, waitMs);
      waitMs = Math.min(4000, waitMs * 2);
    };
  }

  open();
  return {
    /** Ask for an action; nothing is sent while there is no connection. */
    act(name, value = null) {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: "action", name, value }));
      }
    },
  };
}

export const EMOTION_COLOURS = {
  happy: "#ffc44d",
  excited: "#ff8a3d",
  surprised: "#f472d0",
  angry: "#ff5d5d",
  fearful: "#b18cff",
  disgusted: "#8fce5a",
  sad: "#5aa9ff",
  neutral: "#a9b4c6",
};

export const get = (id) => document.getElementById(id);

/** Create a button that acts when it is pressed. */
export function createButton(text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", act);
  return button;
}

/** Add a line to a list, and keep the last `most` of them. */
export function addLine(list, text, most = 8) {
  const item = document.createElement("li");
  item.textContent = text;
  list.append(item);
  while (list.children.length > most) list.firstChild.remove();
}

/** Fit a canvas to its place on the screen, and return its context and size in CSS pixels. */
export function fitCanvas(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}

/** Estimate the beat at this moment from the last state, so that the picture moves between two states. */
export function createBeatClock() {
  let beat = 0;
  let bpm = 0;
  let at = 0;
  return {
    update(music) {
      beat = music.beat;
      bpm = music.is_stopped ? 0 : music.bpm;
      at = performance.now();
    },
    now() {
      return beat + (Math.min(500, performance.now() - at) / 60000) * bpm;
    },
  };
}
