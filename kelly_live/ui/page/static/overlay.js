import { EMOTION_COLOURS, connect } from "./session.js";

// For a browser source of a streaming program: open /overlay?token=… there.
connect({
  state({ played, music }) {
    const feeling = document.getElementById("feeling");
    feeling.textContent = played.name;
    feeling.style.color = EMOTION_COLOURS[played.name] || "#ffffff";
    document.getElementById("music").textContent =
      `${Math.round(music.bpm)} BPM · ${music.tonic} ${music.mode} · ${music.chord}`;
  },
});
