// What was played and what comes, and the picture of both: it falls to the line, and sounds there.

import { fitCanvas } from "./session.js";

const KEPT_BEATS = 24; // of what was played
const MOST_NOTES = 2000;
const SAME_BEATS = 0.06; // a note that was announced and one that is played so near to it are one
const LATE_BEATS = 0.15; // after its time, a note that was announced and not played is left out
const LOW = 28, HIGH = 96; // MIDI notes from the left to the right
const BLACK_KEYS = new Set([1, 3, 6, 8, 10]);
const DRUMS = "percussion"; // its numbers are instruments, not pitches, so it has columns of its own

// On a dark ground and on a light one.
const PART_COLOURS = {
  melody: ["#ffc44d", "#8a4b00"], chords: ["#5aa9ff", "#0b5cad"], bass: ["#f472d0", "#a3197f"],
  percussion: ["#8fce5a", "#3c7411"], pad: ["#6ee7d8", "#0a6b60"], arpeggio: ["#b18cff", "#6236c0"],
};
const MORE_COLOURS = [["#ff8a3d", "#a13d00"], ["#a9b4c6", "#4d5668"], ["#6ee7d8", "#0a6b60"], ["#b18cff", "#6236c0"]];
const ownColours = new Map(Object.entries(PART_COLOURS));

/** Return a part's colours, on a dark ground and on a light one; the same as long as the page is open. */
export function getPartColours(part) {
  if (!ownColours.has(part)) ownColours.set(part, MORE_COLOURS[ownColours.size % MORE_COLOURS.length]);
  return ownColours.get(part);
}

/** Keep what the messages state, notes and coming tell. `addPart` is called with each part that has notes. */
export function createScore(addPart = () => {}) {
  const parts = new Set();
  const score = {
    beat: 0, perBar: 4, played: [], coming: [], chords: new Map(), plan: [], comingChords: [],
    clear() {
      Object.assign(score, { played: [], coming: [], chords: new Map(), plan: [], comingChords: [] });
    },
    takeState({ music }) {
      if (music.beat < score.beat - 2) score.clear(); // it began anew
      score.beat = music.beat;
      score.perBar = music.beats_per_bar;
      score.plan = music.plan;
      score.coming = score.coming.filter((note) => note[0] > music.beat - LATE_BEATS);
      for (const [beat, name] of music.plan) if (beat <= music.beat + 0.1) score.chords.set(beat, name);
      for (const beat of score.chords.keys()) if (beat < music.beat - KEPT_BEATS) score.chords.delete(beat);
    },
    takeNotes({ notes }) {
      notePartsOf(notes);
      score.played.push(...notes);
      const oldest = score.beat - KEPT_BEATS;
      score.played = score.played.filter((note) => note[0] + note[1] > oldest).slice(-MOST_NOTES);
      score.coming = score.coming.filter((note) => !notes.some((one) => isSame(one, note)));
    },
    takeComing(message) {
      notePartsOf(message.notes);
      const before = score.coming.filter((note) => note[0] < message.start_beat);
      const fresh = message.notes.filter((note) => !score.played.some((one) => isSame(one, note)));
      score.coming = message.end_beat ? [...before, ...fresh] : [];
      score.comingChords = message.chords;
    },
    /** List beat and name of the chords from a beat on: those that were, those that are planned, those that may come. */
    listChords(from) {
      const last = score.plan.length ? score.plan[score.plan.length - 1][0] : -1;
      const later = score.comingChords.filter(([beat]) => beat > last);
      const all = new Map([...score.chords, ...score.plan, ...later]);
      return [...all].filter(([beat]) => beat >= from).sort((a, b) => a[0] - b[0]);
    },
  };
  function notePartsOf(notes) {
    for (const note of notes) {
      if (parts.has(note[4])) continue;
      parts.add(note[4]);
      addPart(note[4]);
    }
  }
  return score;
}

function isSame(one, other) {
  return one[2] === other[2] && one[4] === other[4] && Math.abs(one[0] - other[0]) < SAME_BEATS;
}

/** Return a function that draws a score at a beat: two bars that come above the line, one that was below it. */
export function createWaterfall(canvas, score) {
  const isLight = matchMedia("(prefers-color-scheme: light)");
  const drums = [];
  canvas.score = score; // what is drawn can be read where it is looked at
  return (now) => {
    const { context: c, width, height } = fitCanvas(canvas);
    const style = getComputedStyle(canvas);
    const size = Math.max(13, Math.min(26, width / 42));
    const gutter = size * 3.6, keys = size * 1.5;
    const drumColumn = Math.max(4, width / 90);
    const lane = drums.length ? drums.length * drumColumn + size : 0;
    const right = width - lane, floor = height - keys;
    const coming = Math.max(4, 2 * score.perBar), past = score.perBar;
    const rowOf = (beat) => ((coming - (beat - now)) / (coming + past)) * floor;
    const column = (right - gutter) / (HIGH - LOW);
    const colourOf = (part) => getPartColours(part)[isLight.matches ? 1 : 0];
    const text = style.getPropertyValue("--text"), faint = style.getPropertyValue("--faint");
    const line = style.getPropertyValue("--line"), accent = style.getPropertyValue("--accent");

    function placeOf(pitch, part) {
      if (part !== DRUMS) return [gutter + (Math.min(HIGH - 1, Math.max(LOW, pitch)) - LOW) * column, Math.max(3, column - 1)];
      if (!drums.includes(pitch)) {
        drums.push(pitch);
        drums.sort((a, b) => a - b);
      }
      return [width - lane + size / 2 + drums.indexOf(pitch) * drumColumn, drumColumn - 1];
    }

    function drawBars() {
      c.font = `${size * 0.8}px system-ui`;
      c.textAlign = "left";
      for (let bar = Math.max(0, Math.floor((now - past) / score.perBar)); bar * score.perBar < now + coming; bar++) {
        for (let beat = 0; beat < score.perBar; beat++) {
          const row = Math.round(rowOf(bar * score.perBar + beat)) + 0.5;
          if (row > floor) continue;
          c.globalAlpha = beat ? 0.35 : 1;
          drawLine(beat ? line : faint, row, beat ? gutter : 0, beat ? 1 : 1.5);
        }
        c.globalAlpha = 1;
        const row = rowOf(bar * score.perBar);
        c.fillStyle = faint;
        if (row < floor) c.fillText(String(bar + 1), gutter + 3, row - size * 0.25);
      }
    }

    function drawLine(colour, row, from, thickness) {
      c.strokeStyle = colour;
      c.lineWidth = thickness;
      c.beginPath();
      c.moveTo(from, row);
      c.lineTo(width, row);
      c.stroke();
    }

    function drawOctaves() {
      for (let pitch = Math.ceil(LOW / 12) * 12; pitch < HIGH; pitch += 12) {
        const x = Math.round(gutter + (pitch - LOW) * column) - 0.5;
        c.globalAlpha = 0.6;
        c.fillStyle = line;
        c.fillRect(x, 0, 1, floor);
      }
      c.globalAlpha = 1;
    }

    /** Draw a note: an outline while it comes, full as soon as it is played. */
    function drawNote([onset, duration, pitch, velocity, part], isComing) {
      const top = rowOf(onset + duration), bottom = rowOf(onset);
      if (bottom < 0 || top > floor) return;
      const [x, wide] = placeOf(pitch, part);
      const tall = part === DRUMS ? 5 : Math.max(6, Math.min(floor, bottom) - Math.max(-4, top) - 2);
      const y = Math.min(floor, bottom) - tall;
      c.fillStyle = c.strokeStyle = colourOf(part);
      if (isComing) {
        c.globalAlpha = 0.28;
        c.fillRect(x, y, wide, tall);
        c.globalAlpha = 1;
        c.lineWidth = wide > 7 ? 2 : 1;
        c.strokeRect(x + 0.5, y + 0.5, wide - 1, tall - 1);
      } else {
        c.globalAlpha = onset + duration > now ? 1 : 0.4 + 0.4 * (velocity / 127);
        c.fillRect(x, y, wide, tall);
      }
      c.globalAlpha = 1;
    }

    function drawKeys() {
      const sounding = new Map();
      for (const [onset, duration, pitch, , part] of score.played) {
        if (part !== DRUMS && onset <= now && onset + duration > now) sounding.set(pitch, colourOf(part));
      }
      for (let pitch = LOW; pitch < HIGH; pitch++) {
        const isBlack = BLACK_KEYS.has(pitch % 12);
        c.fillStyle = sounding.get(pitch) || (isBlack ? "#10131a" : "#e8ebf1");
        c.fillRect(gutter + (pitch - LOW) * column, floor + 2, Math.max(1, column - 0.5), isBlack ? keys * 0.62 : keys - 2);
      }
      c.fillStyle = faint;
      c.font = `${size * 0.75}px system-ui`;
      c.textAlign = "right";
      c.fillText("C4 ▸", gutter - size * 0.2, floor + keys * 0.75);
      c.fillStyle = accent;
      c.fillRect(gutter + (60 - LOW) * column, floor + keys - 4, Math.max(2, column - 0.5), 4);
      if (lane) {
        c.fillStyle = faint;
        c.textAlign = "center";
        c.fillText("drums", width - lane / 2, floor + keys * 0.75, lane);
      }
    }

    function drawChords() {
      c.textAlign = "left";
      let above = Infinity;
      for (const [beat, name] of score.listChords(now - past)) {
        const row = rowOf(beat);
        if (row < 0 || row > above - size * 0.9) continue;
        const isNow = beat <= now;
        c.font = `bold ${size * (isNow ? 1 : 1.15)}px system-ui`;
        c.fillStyle = isNow ? faint : text;
        c.fillText(name, 4, row - size * 0.25, gutter - 6);
        above = row;
      }
    }

    c.clearRect(0, 0, width, height);
    drawOctaves();
    drawBars();
    for (const note of score.coming) drawNote(note, true);
    for (const note of score.played) drawNote(note, note[0] > now);
    drawLine(accent, rowOf(now), 0, 3);
    drawChords();
    drawKeys();
  };
}
