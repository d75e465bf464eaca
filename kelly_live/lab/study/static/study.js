// A listening study: consent, headphones, one trial for practice, and then all of them, in the order that it is told.
const find = (name) => document.getElementById(name);
const KEPT = "kelly-live-study"; // the listener's name, so that a page that is loaded again goes on
const audio = find("sound");
let session, position, startedAt, plays, hasPlaced;

async function post(address, value) {
  const answer = await fetch(address, { method: "POST", body: JSON.stringify(value) });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function complain(error) {
  find("problem").textContent = `${error.message}. Try again, or ask for help.`;
}

function show(name) {
  for (const one of ["consent", "headphones", "trial", "end"]) find(one).hidden = one !== name;
  find("player").hidden = !["headphones", "trial"].includes(name);
}

function begin() {
  find("title").textContent = document.title = session.title;
  find("consent-text").textContent = session.consent;
  find("tones").replaceChildren(...[1, 2, 3].map((number) => makeButton(`Tone ${number}`, () => answer(String(number)))));
  find("emotions").replaceChildren(...session.emotions.map(makeChoice));
  if (session.position === 0) show("consent");
  else showTrial(session.position);
}

function makeButton(text, press) {
  const button = document.createElement("button");
  button.textContent = text;
  button.addEventListener("click", press);
  return button;
}

function makeChoice(name) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "emotion", value: name, id: `emotion-${name}` });
  input.addEventListener("change", check);
  label.append(input, name);
  return label;
}

function showTrial(next) {
  position = next;
  const trial = session.trials[position];
  find("problem").textContent = "";
  if (!trial) {
    find("progress").textContent = "";
    audio.pause();
    show("end");
    return;
  }
  find("progress").textContent = `${position + 1} of ${session.trials.length}`;
  [startedAt, plays, hasPlaced] = [undefined, 0, false];
  const isCheck = trial.kind === "attention";
  if (!isCheck) audio.src = `/sounds/${trial.name}`;
  find("heard").textContent = "";
  show(trial.kind === "headphones" ? "headphones" : "trial");
  find("player").hidden = isCheck;
  if (trial.kind === "headphones") {
    setTonesEnabled(false);
  } else {
    describe(trial);
    for (const name of ["valence", "arousal"]) find(name).value = 0;
    for (const input of document.querySelectorAll("input[name=emotion]")) input.checked = false;
    place();
    if (isCheck) startedAt = performance.now();
    check();
  }
  find(isCheck ? "valence" : "play").focus();
}

function describe(trial) {
  if (trial.kind === "attention") {
    const side = (value, low, high) => (Number(value) < 0 ? low : high);
    find("task").textContent = "A question without music";
    find("instruction").textContent =
      `To see that you read this: choose “${trial.emotion}”, and put the point well into the ` +
      `${side(trial.valence, "unpleasant", "pleasant")} and ${side(trial.arousal, "calm", "stirred")} corner.`;
  } else {
    find("task").textContent = trial.kind === "training" ? "For practice" : "What does this music express?";
    find("instruction").textContent =
      "Say what the music expresses, not what you feel yourself. You may hear it as often as you like.";
  }
}

function setTonesEnabled(isEnabled) {
  for (const button of find("tones").children) button.disabled = !isEnabled;
}

function place() {
  find("point").style.left = `${50 + 50 * find("valence").value}%`;
  find("point").style.top = `${50 - 50 * find("arousal").value}%`;
}

function check() {
  const isChosen = document.querySelector("input[name=emotion]:checked") !== null;
  find("next").disabled = !(isChosen && hasPlaced && startedAt !== undefined);
}

function point(event) {
  const box = find("plane").getBoundingClientRect();
  const limit = (value) => Math.max(-1, Math.min(1, value));
  find("valence").value = limit((2 * (event.clientX - box.left)) / box.width - 1);
  find("arousal").value = limit(1 - (2 * (event.clientY - box.top)) / box.height);
  move();
}

function move() {
  hasPlaced = true;
  place();
  check();
}

async function answer(emotion) {
  try {
    const taken = await post("/answer", {
      listener: session.listener,
      position,
      emotion,
      valence: session.trials[position].kind === "headphones" ? 0 : Number(find("valence").value),
      arousal: session.trials[position].kind === "headphones" ? 0 : Number(find("arousal").value),
      seconds: (performance.now() - startedAt) / 1000,
      plays,
    });
    showTrial(taken.position);
  } catch (error) {
    complain(error);
  }
}

find("agree").addEventListener("click", () => showTrial(0));
find("play").addEventListener("click", async () => {
  audio.currentTime = 0;
  try {
    await audio.play();
    startedAt ??= performance.now();
    plays += 1;
    find("heard").textContent = plays === 1 ? "heard once" : `heard ${plays} times`;
    setTonesEnabled(true);
    check();
  } catch (error) {
    complain(error);
  }
});
find("next").addEventListener("click", () => answer(document.querySelector("input[name=emotion]:checked").value));
find("plane").addEventListener("pointerdown", point);
find("plane").addEventListener("pointermove", (event) => event.buttons && point(event));
for (const name of ["valence", "arousal"]) find(name).addEventListener("input", move);

try {
  session = await post("/begin", { listener: sessionStorage.getItem(KEPT) });
  sessionStorage.setItem(KEPT, session.listener);
  begin();
} catch (error) {
  complain(error);
}
