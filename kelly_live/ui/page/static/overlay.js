import { EMOTION_COLOURS, connect, get } from "./session.js";
import { setText } from "./widgets.js";

// For a browser source of a streaming program: open /overlay?token=… there.
connect({
  state({ played, music, word }) {
    setText(get("feeling"), word || played.name);
    get("feeling").style.color = EMOTION_COLOURS[played.name] || "#ffffff";
    setText(get("music"), `${Math.round(music.bpm)} BPM · ${music.tonic} ${music.mode} · ${music.chord}`);
  },
});
