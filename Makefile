# `make demo` and `make test` are all that a newcomer needs; each installs what it uses into .venv.

PYTHON ?= python3
BIN := .venv/bin
TORCH ?= torch==2.13.0
PYTEST_ARGS ?=

.PHONY: demo test tools long soak shots-check picture samples gpu-check train-gpu-set train-gpu clean

.venv/base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: .venv/base
	$(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[train,test]"
	touch $@

demo: .venv/base
	mkdir -p demo
	$(BIN)/vidcolor run samples/film.mp4 samples/vfr10.mkv samples/portrait.jpg -o demo --overwrite

# The tests hold vidcolor against ffmpeg and ffprobe; only they need the system's.
tools:
	@command -v ffprobe >/dev/null || { apt-get update -qq && apt-get install -y -qq ffmpeg; } || \
	  { echo "make test needs ffmpeg and ffprobe: install them first, for instance with: sudo apt install ffmpeg"; exit 1; }

# Training has a process of its own: beside the libraries of every other backend, torch has crashed in it.
# Where PYTEST_ARGS choose from one half only, the other may find nothing (5).
NOTHING_CHOSEN = [ $$? -eq 5 -a -n "$(PYTEST_ARGS)" ]
test: .venv/test tools
	$(BIN)/python -m pytest --ignore=tests/training $(PYTEST_ARGS) || $(NOTHING_CHOSEN)
	$(BIN)/python -m pytest tests/training $(PYTEST_ARGS) || $(NOTHING_CHOSEN)

long:
	$(MAKE) test PYTEST_ARGS="-m long -s $(PYTEST_ARGS)"

# A two-hour film's worth of frames in one run: memory, open files, threads, temporary files. SOAK_ARGS="--frames 20000"
soak: .venv/test
	nice -n 19 $(BIN)/python tests/soak/soak.py --plot docs/soak.png $(SOAK_ARGS)

# Cuts and dissolves found in films that are labelled and in films joined from their shots: FILMS is the folder of the former.
shots-check: .venv/test
	PYTHONPATH=tests $(BIN)/python tests/temporal/measure_shots.py $(FILMS) $(SHOTS_ARGS)

# The picture in the README: three frames of the sample film as they go in (left) and as they come out.
FRAMES = select='eq(n,20)+eq(n,200)+eq(n,270)',scale=320:-2,tile=1x3
picture: demo tools
	ffmpeg -v error -y -i samples/film.mp4 -i demo/film.color.mp4 -frames:v 1 -q:v 3 \
	  -filter_complex "[0:v]$(FRAMES)[a];[1:v]$(FRAMES)[b];[a][b]hstack" docs/before-after.jpg

samples:
	$(PYTHON) samples/make_samples.py

# On a machine with an NVIDIA GPU, with whatever its Python has: nothing is fetched or installed. CALIBRATE=folder of
# pictures: int8 and fp8 too.
gpu-check:
	$(PYTHON) -m vidcolor gpu-check --write docs/gpu.md --json build/gpu-check.json $(CALIBRATE:%=--calibrate %)

# Pictures for a machine with a GPU to which little can be brought: DATA and VAL are folders or shards. Of 64 MiB, this
# leaves the checkout its part.
MEGABYTES ?= 38
train-gpu-set: export PYTHONPATH := $(CURDIR)$(PYTHONPATH:%=:%)
train-gpu-set:
	@test -n "$(DATA)" -a -n "$(VAL)" || { echo 'Try: make train-gpu-set DATA="photos/ more.tar" VAL=held-back.tar'; exit 1; }
	$(PYTHON) scripts/train_gpu_set.py $(DATA:%=--data %) $(VAL:%=--val %) --megabytes $(MEGABYTES) -o build/gpu-set

# On that machine: both networks, one after the other, with whatever its Python has. No shell between make and Python: a
# request to stop must reach the script and be waited for. TRAIN_ARGS="--model resnet38"
MINUTES ?= 20
train-gpu: export PYTHONPATH := $(CURDIR)$(PYTHONPATH:%=:%)
train-gpu:
	$(PYTHON) scripts/train_on_gpu.py build/gpu-set --minutes $(MINUTES) $(TRAIN_ARGS)

clean:
	rm -rf .venv demo build dist *.egg-info
