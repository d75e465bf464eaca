// What it hears of the player, and how well everything works.

import { setItems, setNumbers, setText } from "./widgets.js";

const formatSure = (text, confidence) =>
  (text === null ? "–" : `${text}, ${Math.round(100 * confidence)} % sure`);

/** Show the input's level in `level`, what is heard in the `dl` `hearing`, counters in `numbers`, faults in `problems`. */
export function createHealth({ level, levelValue, hearing, numbers, problems, remarks }) {
  return {
    takeState(state) {
      const { health, hearing: heard } = state;
      level.value = health.level_dbfs;
      setText(levelValue, `${health.level_dbfs.toFixed(0)} dB`);
      setText(remarks, state.remarks);
      if (heard) {
        setNumbers(hearing, [
          ["player", heard.plays === null ? "not heard yet" : heard.plays ? "plays" : "rests"],
          ["beat", formatSure(heard.bpm === null ? null : `${Math.round(heard.bpm)} BPM`, heard.beat_confidence)],
          ["key", formatSure(heard.key, heard.key_confidence)],
          ["chord", formatSure(heard.chord, heard.chord_confidence)],
          ["the band takes", heard.follows.join(", ") || "nothing"],
        ]);
      }
      setNumbers(numbers, [
        ["late", String(health.late_messages)], ["notes dropped", String(health.dropped_notes)],
        ["held to the limits", String(health.limited_notes)],
        ["input skipped", String(health.dropped_windows)], ["overflows", String(health.overflows)],
        ["lateness, p99", `${health.late_ms.toFixed(2)} ms`],
        ["analysis, longest", `${health.analysis_ms.toFixed(0)} ms`],
        ["music, longest", `${health.conductor_ms.toFixed(0)} ms`],
        ...Object.entries(health.restarts).map(([part, count]) => [part, `came back ${count} ×`]),
      ]);
      setItems(problems, [...health.problems, ...Object.values(state.muted)]);
    },
  };
}
