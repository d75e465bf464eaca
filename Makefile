# Kelly Live: every command a developer needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# The versions that were tested, and no newer ones.
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# The first interpreter found that is new enough; override with `make PYTHON=/path/to/python3.12 ...`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
SYSTEM_PACKAGES := jackd2 libportaudio2 fluidsynth fluid-soundfont-gm chromium chromium-driver

.PHONY: help demo demo-recording pictures site scores test test-others field lint types bench soak drills licences sbom audit fuzz system clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# One stamp an extra, so that each command installs no more than it needs.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found; install one, or run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.lab: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable ".[lab]"
	@touch $@ $(VENV)/.run

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable ".[test]"
	@touch $@ $(VENV)/.lab $(VENV)/.run

$(VENV)/.lint: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable ".[test,lint,docs]"
	@touch $@ $(VENV)/.test $(VENV)/.lab $(VENV)/.run

demo: $(VENV)/.run ## hear it: no sound card, MIDI or network needed; writes kelly-live-demo/
	$(BIN)/kelly-live demo

# In the order of the folders: by their number of tests, the files with few and long ones would come last, and leave all
# but one process idle. The live tests measure time and mostly wait, so they run after the others, two at once, each
# process with a sound server of its own. A shared machine may stand still for seconds, so one that fails is tried once
# more, and what failed stands at the end.
test: $(VENV)/.test system ## every test, those on a real sound and MIDI server included
	$(BIN)/python -m tests.numba_cache
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not live" --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m live --numprocesses 2 --dist worksteal --reruns 1 --rerun-show-tracebacks -r fEs tests/live

test-others: $(VENV)/.test ## every test that needs neither torch nor a server, on each other Python found (3.12 to 3.14)
	$(BIN)/python -m tests.interpreters

field: $(VENV)/.test ## the tests of every fault that was found in the field
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/field

lint: $(VENV)/.lint ## ruff: style, likely bugs; import-linter: the walls between the rooms; the licences of what is installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m kelly_live.lab.licences docs/licences.md --check

# Not --quiet, which hides the warnings from --strict, too.
site: $(VENV)/.lint ## the documentation as a site, in build/site: every link is followed, nothing is fetched
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

types: $(VENV)/.lint ## mypy, strict
	$(BIN)/mypy

bench: $(VENV)/.lab ## timing of the send path and of each stage of a hop, on this machine
	$(BIN)/kelly-live lab bench

soak: $(VENV)/.lab ## a long session in real time: nothing hangs, gets lost, drifts or grows (SOAK_MINUTES=60)
	$(BIN)/python -m kelly_live.lab.bench.soak --minutes $(or $(SOAK_MINUTES),60)

drills: $(VENV)/.test system ## the fault drills on real servers; their table goes into docs/drills.md
	printf '%s\n' '# Fault drills' '' 'Made by `make drills` (tests/live/test_drills.py): `kelly-live` plays into JACK, something breaks, and another JACK client' 'counts. *Over after*: how long the notes that sounded at the fault went on (goal: 1 s, .2 s after SIGKILL of the host;' 'where the music goes on, they end as written). *Back after*: from the end of the cause to the next note or, where the' 'music went on, to the next emotion or line on the disk (goal: 2 s, or the next bar where it goes on at a bar). *Longest' 'gap*: the longest time without a new note after the fault.' '' '| fault | over after | back after | longest gap | and then |' '|---|---|---|---|---|' > docs/drills.md
	KELLY_LIVE_DRILLS=docs/drills.md KELLY_LIVE_DRILL_NOISE_SECONDS=600 $(BIN)/python -m pytest -q tests/live/test_drills.py tests/live/test_midi_in_returns.py
	printf '%s\n' '' '## Plug-ins' '' 'Made by `make drills` (tests/live/test_plugin_drills.py): one session with a player of another package for each fault, of' 'which each breaks in a bar of its own. *Others late*: the latest of the other players'"'"' notes in the three bars after the' 'fault, as another JACK client heard them, against the recording (goal: 5 ms, none lost). *Told after*: from the fault to the' 'line (goal: 1 s). *Silent for*: the longest time between two of its own notes (it is asked a beat before its bar, and comes' 'back at the next bar line). What goes wrong before the band begins must be told before its first note.' '' '| fault | others late | told after | silent for | what is said |' '|---|---|---|---|---|' >> docs/drills.md
	KELLY_LIVE_PLUGIN_DRILLS=docs/drills.md $(BIN)/python -m pytest -q tests/live/test_plugin_drills.py

licences: $(VENV)/.lint ## make the table of the dependencies' licences again (docs/licences.md)
	$(BIN)/python -m kelly_live.lab.licences docs/licences.md

sbom: $(VENV)/.run ## what a plain installation brings, as CycloneDX (dist/kelly-live.cdx.json)
	@mkdir -p dist
	$(BIN)/python -m kelly_live.lab.licences --sbom dist/kelly-live.cdx.json

audit: $(VENV)/.run ## known vulnerabilities in the installed packages, by the package index
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet "pip-audit>=2.7"
	$(BIN)/pip list --format freeze --exclude-editable | sed -E 's/\+[a-z0-9]+$$//' > $(VENV)/audit/installed.txt
	$(VENV)/audit/bin/pip-audit --requirement $(VENV)/audit/installed.txt --no-deps --disable-pip

fuzz: $(VENV)/.test ## coverage-guided fuzzing of every parser of untrusted files (FUZZ_SECONDS=60 each, FUZZ_SEED=1: the same inputs again; Linux)
	$(INSTALL) --editable ".[fuzz]"
	$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),60) --seed $(or $(FUZZ_SEED),0)

system: ## the system packages that the live tests use (apt where it may, else the line to run)
	@missing=(); for p in $(SYSTEM_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing+=($$p); done; \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	line="apt-get update && apt-get install --yes --no-install-recommends $${missing[*]}"; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then export DEBIAN_FRONTEND=noninteractive; bash -c "$$line" >/dev/null; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo DEBIAN_FRONTEND=noninteractive bash -c "$$line" >/dev/null; \
	else echo "the live tests need JACK, PortAudio, fluidsynth and chromium and will be skipped; on Debian or Ubuntu run: sudo bash -c '$$line'" >&2; fi

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist

demo-recording: $(VENV)/.lab system ## make presets/demo/recording.ogg again from its score
	$(BIN)/python -m kelly_live.lab.corpora.demo_recording

pictures: $(VENV)/.test system ## draw the pictures of docs/ again: players, traditions, cultures, demo, together, page
	$(BIN)/kelly-live gallery build/gallery --only emotions --sheet docs/players.png
	$(BIN)/kelly-live gallery build/gallery --only traditions --sheet docs/traditions.png
	$(BIN)/kelly-live cultures --sheet docs/cultures.png
	$(BIN)/kelly-live demo --out build/demo && cp build/demo/demo.png docs/demo.png
	$(BIN)/python -m kelly_live.lab.plots.together docs/together.png
	$(BIN)/python -m kelly_live.lab.plots.page docs

# What is read, a line each: the options of `kelly-live lab read`.
define SCORES
--emotion happy --form song --bars 41 --seed 1
--emotion sad --bars 33 --seed 2
--emotion surprised --bars 33 --seed 3
--valence 0.5 --arousal -0.5 --form aaba --bars 33 --seed 4
--emotion happy --culture jazz-swing --form blues --bars 25 --seed 5
endef
export SCORES

scores: $(VENV)/.lab ## print five pieces as scores into docs/scores.md
	@printf '%s\n' '# Five pieces, read as scores' '' 'Made by `make scores`. Each page is what the command above it prints; the same seed gives the same notes.' \
	'Chords are roman numerals, and a note stands by its place in the bar (`1`, `1e`, `1&`, `1a`, `2`, ...; thirds as `1.33`);' \
	'`~` marks one that sounds over the barline.' > docs/scores.md
	@while read -r options; do \
	printf '\n## `kelly-live lab read %s`\n\n```text\n' "$$options" >> docs/scores.md; \
	$(BIN)/kelly-live lab read $$options --profile none | sed 's/ *$$//' >> docs/scores.md || exit 1; \
	echo '```' >> docs/scores.md; done <<< "$$SCORES"
